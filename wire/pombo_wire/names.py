"""The names that a sender may choose, as regular expressions."""

import re

from pombo_wire.limits import MAX_COLUMN_NAME, MAX_FAMILY_NAME, MAX_LABEL_NAME

COLUMN = re.compile(rf"[a-zA-Z0-9][a-zA-Z0-9_]{{0,{MAX_COLUMN_NAME - 1}}}")
FAMILY = re.compile(rf"[a-zA-Z_][a-zA-Z0-9_]{{0,{MAX_FAMILY_NAME - 1}}}")
LABEL = re.compile(rf"[a-zA-Z][a-zA-Z0-9_]{{0,{MAX_LABEL_NAME - 1}}}")
