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
device "d" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  labels        = { vendor = "SEL" }
}
rule "misspelt-attribute" {
  reason = "because"
  allow  = ["upload"]
  when   = file.sice < 10
}
rule "misspelt-label" {
  reason = "because"
  allow  = ["upload"]
  when   = device.labels.vender == "SEL"
}
rule "unlike-types" {
  reason = "because"
  allow  = ["upload"]
  when   = file.size == "10"
}
rule "text-is-no-number" {
  reason = "because"
  allow  = ["upload"]
  when   = file.name > 10
}
rule "not-a-condition" {
  reason = "because"
  allow  = ["upload"]
  when   = file.name
}
rule "unknown-function" {
  reason = "because"
  allow  = ["upload"]
  when   = globb("*", file.name)
}
rule "bad-pattern" {
  reason = "because"
  allow  = ["upload"]
  when   = regex("(", file.name)
}
rule "bad-argument" {
  reason = "because"
  allow  = ["upload"]
  when   = glob("*", file.size)
}
rule "bad-prefix" {
  reason = "because"
  allow  = ["upload"]
  when   = cidr(peer.address, "10.0.0.0")
}
rule "loop" {
  reason = "because"
  allow  = ["upload"]
  when   = length([for g in device.groups : g]) > 1
}
rule "null" {
  reason = "because"
  allow  = ["upload"]
  when   = file.name == null
}
rule "no-variable" {
  reason = "because"
  allow  = ["upload"]
  when   = fille.size > 0 && true
}
