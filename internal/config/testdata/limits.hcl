# Limits that make no sense.

zone "z1" {
  listen        = "10.0.0.1:21"
  passive_ports = "50000-50099"

  limits {
    connections           = 0
    startups              = "10:30"
    line_length           = 20
    commands_before_login = 2
    minimum_rate          = "0B"
    lockout               = "2d"
  }

  limits {
  }
}

zone "z2" {
  listen        = "10.0.0.2:21"
  passive_ports = "50000-50099"

  limits {
    startups      = "10:300:60"
    logn_attempts = 3
  }
}

zone "z3" {
  listen        = "10.0.0.3:21"
  passive_ports = "50000-50099"

  limits {
    startups = "100:30:60"
  }
}

limits {
  connections     = -1
  path_depth      = 65
  login_checks = 1
  memory          = "1MiB"
}

limits {
  transfers = 0
}

conduit "control-centre" {
  address     = "127.0.0.1:2022"
  user        = "ss7"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/ingest/ss7"
}

audit {
  dir = "audit"
}
