zone "z" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}
conduit "c" {
  address     = "127.0.0.1:2022"
  user        = "u"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/"
}
audit { dir = "audit" }
rule "size" {
  reason = "because"
  allow  = ["upload"]
  deliver { path = "/${file.size}/${file.name}" }
}
rule "whole-file" {
  reason = "because"
  allow  = ["upload"]
  deliver { path = "/${file["name"]}" }
}
rule "constant" {
  reason = "because"
  allow  = ["upload"]
  deliver { path = "/latest.cfg" }
}
rule "misspelt" {
  reason = "because"
  allow  = ["upload"]
  deliver { path = "/${file.nam}" }
}
rule "number" {
  reason = "because"
  allow  = ["upload"]
  deliver { path = time.year }
}
rule "comma" {
  reason = "because"
  allow  = ["upload"]
  deliver { path = comname(time.stamp, "New, ark", device.name, "U") }
}
rule "companion" {
  reason = "because"
  allow  = ["upload"]
  expect { companion = "{name}.size" }
  deliver { path = "/${file.name}" }
}
