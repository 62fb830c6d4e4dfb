# Values of a rule.

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

device "relay-12" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  from          = ["10.7.0.12/32"]
}

rule "r1" {
  allow    = ["upload"]
}

rule "r2" {
  reason   = "  "
  allow    = ["upload"]
}

rule "r3" {
  reason   = "because"
}

rule "r4" {
  reason   = "because"
  allow    = ["upload"]
  deny     = ["delete"]
}

rule "r5" {
  reason   = "because"
  allow    = ["uplaod", "everything"]
}

rule "r6" {
  reason   = "because"
  allow    = []
}

rule "r7" {
  reason   = "because"
  allow    = ["upload"]
  from     = ["10.0.0.1/8"]
}

rule "r8" {
  reason   = "because"
  allow    = ["upload"]
  min_size = "2MiB"
  max_size = "1 MB"
}

rule "r9" {
  reason   = "because"
  allow    = ["upload"]
  max_size = "64M"
}

rule "r10" {
  reason   = "because"
  allow    = ["upload"]
  max_size = "lots"
  min_size = "-1"
}

rule "r11" {
  reason   = "because"
  allow    = ["upload"]
  max_size = 0
}

rule "r12" {
  reason   = "because"
  allow    = ["upload"]
  max_size = "9999999 TiB"
}

rule "r13" {
  reason   = "because"
  allow    = ["upload"]
  max_size = "99999999999999999999"
}

rule "r14" {
  reason   = "because"
  allow    = ["upload"]
  max_size = "+5"
}
