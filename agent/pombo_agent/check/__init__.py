"""The command ``pombo-agent check``: whether reports arrive, and what to do if they do not.

Nothing else imports this. It changes nothing at an exporter.
"""
