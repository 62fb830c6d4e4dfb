# TLS that does not work.

zone "unknown" {
  listen        = "10.0.0.1:21"
  passive_ports = "50000-50099"
  tls = "maybe"
}

zone "off" {
  listen        = "10.0.0.2:21"
  passive_ports = "50000-50099"
  certificate = "gateway.pem"
  private_key = "gateway.key"
  session_reuse = "required"
}

zone "bare" {
  listen        = "10.0.0.3:21"
  passive_ports = "50000-50099"
  tls = "optional"
}

zone "half" {
  listen        = "10.0.0.4:21"
  passive_ports = "50000-50099"
  tls = "optional"
  certificate = "gateway.pem"
}

zone "absent" {
  listen        = "10.0.0.5:21"
  passive_ports = "50000-50099"
  tls = "required"
  certificate = "none.pem"
  private_key = "gateway.key"
}

zone "expired" {
  listen        = "10.0.0.6:21"
  passive_ports = "50000-50099"
  tls = "required"
  certificate = "expired.pem"
  private_key = "gateway.key"
}

zone "implicit" {
  listen        = "10.0.0.7:21"
  passive_ports = "50000-50099"
  tls = "optional"
  tls_mode = "implicit"
  certificate = "gateway.pem"
  private_key = "gateway.key"
}

zone "words" {
  listen        = "10.0.0.8:21"
  passive_ports = "50000-50099"
  tls = "required"
  tls_mode = "both"
  tls_min_version = "1.1"
  data_tls = "off"
  session_reuse = "yes"
  close_notify = "never"
  certificate = "gateway.pem"
  private_key = "gateway.key"
}

zone "authorities" {
  listen        = "10.0.0.9:21"
  passive_ports = "50000-50099"
  tls = "required"
  certificate = "gateway.pem"
  private_key = "gateway.key"
  client_ca = "no-ca.pem"
}

zone "no-authorities" {
  listen        = "10.0.0.10:21"
  passive_ports = "50000-50099"
  tls = "required"
  certificate = "gateway.pem"
  private_key = "gateway.key"
  client_ca = "none.pem"
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
