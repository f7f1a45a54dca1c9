// The link to Grafana's dashboard of a host. The exporter adds this script to a page with the link.

import { byId } from "./dom.js";

const name = new URL(location).searchParams.get("name");
if (name !== null) {
  const url = new URL(byId("to-grafana").href);
  url.searchParams.set("var-instance", name);
  byId("to-grafana").href = url.href;
}
