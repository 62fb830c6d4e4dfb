# Values of a device.

zone "bay-7" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}

conduit "control-centre" {
  address     = "127.0.0.1:2022"
  user        = "ss7"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/ingest/ss7"
}

audit { dir = "audit" }

device "relay-1" {
  password_hash = "secret"
}

device "relay-2" {
  password_hash = "$2a$15$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
}

device "relay-3" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  home          = "relay-3"
}

device "relay-4" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  home          = "/relays/../4"
}

device "relay-5" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  user          = ""
}

device "relay-6" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  home          = "/a\tb"
}

rule "records" {
  reason  = "PRC-002: disturbance records leave the station"
  devices = ["relay-*"]
  allow   = ["upload", "list"]
  paths   = ["/events/**"]
}
