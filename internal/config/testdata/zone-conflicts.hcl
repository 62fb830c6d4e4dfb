# Zones that get in each other's way.

zone "z1" {
  listen        = "10.0.0.1:21"
  passive_ports = "50000-50099"
}

zone "z2" {
  listen        = "10.0.0.1:21"
  passive_ports = "50100-50199"
}

zone "z3" {
  listen        = "10.0.0.1:2121"
  passive_ports = "50050-50060"
}

zone "z4" {
  listen        = "0.0.0.0:50010"
  passive_ports = "50200-50299"
}

zone "z5" {
  listen        = "10.0.0.5:50010"
  passive_ports = "50300-50399"
}

zone "z6" {
  listen        = "10.0.0.6:21"
  passive_ports = "50000-50020"
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
