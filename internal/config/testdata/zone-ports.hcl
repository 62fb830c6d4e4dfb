# Port ranges that are none.

zone "z1" {
  listen        = "10.0.0.1:21"
  passive_ports = "50099-50000"
}

zone "z2" {
  listen        = "10.0.0.2:21"
  passive_ports = "0-100"
}

zone "z3" {
  listen        = "10.0.0.3:21"
  passive_ports = "65000-65536"
}

zone "z4" {
  listen        = "10.0.0.4:21"
  passive_ports = "50000"
}

zone "z5" {
  listen        = "10.0.0.5:21"
  passive_ports = "fifty-sixty"
}

zone "z6" {
  listen        = "10.0.0.6:21"
  passive_ports = "20-30"
}

conduit "control-centre" {
  address     = "127.0.0.1:2022"
  user        = "ss7"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/ingest/ss7"
}

audit { dir = "audit" }

device "relay-12" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.12/32"]
}

rule "records" {
  reason  = "PRC-002: disturbance records leave the station"
  devices = ["relay-*"]
  allow   = ["upload", "list"]
  paths   = ["/events/**"]
}
