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
  labels        = { "bay-7" = "7", vendor = ["SEL"] }
}
device "e" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  labels        = "SEL"
}
group "relays" { devices = ["relay-*"] }
group "none" {}
rule "r" {
  reason      = "because"
  allow       = ["list"]
  groups      = ["realys"]
  names       = ["a/*.cfg"]
  between     = ["22:00", "08:00-08:00", "25:00-26:00"]
  weekdays    = ["caturday"]
  not_before  = "tomorrow"
  timezone    = "Europe/Atlantis"
  on_close    = "abrot"
  ignore_case = "yes"
}
rule "s" {
  reason     = "because"
  allow      = ["list"]
  not_before = "2026-03-02 06:00"
  not_after  = "2026-03-01 06:00"
}
