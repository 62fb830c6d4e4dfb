# What ftps.hcl is meant to say. Run: ftpgw policy test ftps.hcl

test "a meter files its load profile" {
  device      = "meter-1"
  zone        = "field"
  tls         = true
  certificate = ["meter-1.station.example"]
  op          = "upload"
  path        = "/2026-03-01.csv"
  size        = "9kB"
  expect      = "allow"
  rule        = "readings"
}

test "the same at the port for implicit TLS" {
  device = "meter-1"
  zone   = "field-implicit"
  tls    = true
  op     = "list"
  path   = "/"
  expect = "allow"
  rule   = "readings"
}

test "nothing but load profiles" {
  device = "meter-1"
  zone   = "field"
  tls    = true
  op     = "upload"
  path   = "/config.xml"
  expect = "deny"
  rule   = ""
}
