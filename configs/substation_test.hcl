# What substation.hcl is meant to say. Run: ftpgw policy test substation.hcl

test "a relay files a disturbance record" {
  device = "relay-12"
  op     = "upload"
  path   = "/events/2026/fault-0042.cfg"
  size   = "12kB"
  expect = "allow"
  rule   = "disturbance-records"
}

test "how large a record is shows at its end" {
  device = "relay-12"
  op     = "upload"
  path   = "/events/fault-0042.dat"
  expect = "pending"
}

test "a record is never that large" {
  device = "relay-12"
  op     = "upload"
  path   = "/events/fault-0042.dat"
  size   = "65MiB"
  expect = "deny"
  rule   = ""
}

test "settings stay, wherever they are put" {
  device = "relay-13"
  op     = "upload"
  path   = "/events/relay.set"
  expect = "deny"
  rule   = "no-settings"
}

test "a relay sees its root, and not more" {
  device = "relay-13"
  op     = "list"
  path   = "/"
  expect = "allow"
  rule   = "look-around"
}

test "nothing is fetched" {
  device = "relay-12"
  op     = "download"
  path   = "/events/fault-0042.cfg"
  expect = "deny"
  rule   = ""
}

test "no relay at another's address" {
  device = "relay-12"
  from   = "10.7.0.13"
  op     = "upload"
  path   = "/events/fault-0042.cfg"
  expect = "deny"
}
