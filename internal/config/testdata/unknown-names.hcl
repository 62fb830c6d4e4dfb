# Misspelt names, with suggestions, and none of them reported as missing besides.

zoen "bay-7" {
  lisetn        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}

conduit "control-centre" {
  address     = "127.0.0.1:2022"
  user        = "ss7"
  identiy    = "id_ed25519"
  known_host = "known_hosts"
  root        = "/ingest/ss7"
}

audit { dir = "audit" }

device "relay-12" {
  pasword_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.12/32"]
}

listen = "127.0.0.1:21"

firewall {}

rule "records" {
  raeson  = "PRC-002: disturbance records leave the station"
  devices = ["relay-*"]
  alow   = ["upload", "list"]
  paths   = ["/events/**"]
  delivr {}
}
