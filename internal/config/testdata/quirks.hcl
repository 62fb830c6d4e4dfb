# Quirks that cannot be, and profiles that are not there.

zone "bay-7" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
  ascii         = "image"
  profile       = "ol"
}

conduit "control-centre" {
  address     = "127.0.0.1:2022"
  user        = "ss7"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/ingest/ss7"
}

audit { dir = "audit" }

profile "old" {
  ascii           = "converted"
  mkd_existing    = 250
  make_parents    = "perhaps"
  listing         = "vms"
  single_line     = [true]
  name_case       = "title"
  superfluous     = 226
  passive_address = "2001:db8::1"
  bckslashes      = true
}

profile "old" {}

device "relay-12" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  profile       = "sel"
  quirks {
    ascii = "convert"
  }
  quirks {}
}
