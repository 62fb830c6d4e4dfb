zone "bay-7" {
  listen        = "127.0.0.1:2121"
  passive_ports = "50000-50099"
}
conduit "control-centre" {
  address     = "127.0.0.1:2022"
  user        = "u"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/"
}
audit { dir = "audit" }

device "relay" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  limit {
    max_file       = 0
    files_per_hour = 0
    bytes_per_day  = -1
    bandwidth      = "1MiB"
    concurrent     = -2
    shared         = true
  }
}

device "empty" {
  password_hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
  limit {}
  limit { concurrent = 1 }
}

rule "values" {
  reason = "x"
  allow  = ["upload"]
  limit {
    files_per_hour = 1.5
    bandwidth      = "100 bit/s"
    concurrent     = "two"
  }
}

rule "rates" {
  reason = "x"
  allow  = ["download"]
  limit { bandwidth = "8 Mibit/s" }
}

rule "no-unit" {
  reason = "x"
  allow  = ["append"]
  limit { bandwidth = "1000000/s" }
}

rule "upside-down" {
  reason = "x"
  allow  = ["upload"]
  limit {
    max_file      = "2GiB"
    bytes_per_day = "1GiB"
  }
}

rule "none-passes" {
  reason   = "x"
  allow    = ["upload"]
  min_size = "1MiB"
  limit { max_file = "1kB" }
}

rule "not-shared" {
  reason = "x"
  allow  = ["upload"]
  limit {
    max_file = "1kB"
    shared   = true
  }
}

rule "denies" {
  reason = "x"
  deny   = ["upload"]
  limit { concurrent = 1 }
}

rule "lists" {
  reason = "x"
  allow  = ["list", "delete"]
  limit { files_per_hour = 10 }
}

rule "misspelt" {
  reason = "x"
  allow  = ["upload"]
  limit { file_per_hour = 10 }
}
