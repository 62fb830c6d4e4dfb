# Address ranges that are none.

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
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.12/24"]
}

device "relay-2" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.12"]
}

device "relay-3" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.0/33", "relay.example"]
}

device "relay-4" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["::ffff:10.7.0.0/120"]
}

device "relay-5" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = []
}

device "relay-6" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["2001:db8::1/64"]
}

rule "records" {
  reason  = "PRC-002: disturbance records leave the station"
  devices = ["relay-*"]
  allow   = ["upload", "list"]
  paths   = ["/events/**"]
}
