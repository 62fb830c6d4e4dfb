# FTPS: devices that speak TLS, each known by a certificate of its own besides its password. docs/ftps.md explains every choice.
#
#   meter ---FTPS---> [ field | gateway | operations ] ---SFTP---> server
#
# Before you start: the same four commands as in substation.hcl, and certificates. Where you have no authority of your own yet:
#
#   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=station CA" -keyout ca.key -out devices-ca.pem
#   openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=gateway" -addext "subjectAltName=IP:10.30.0.1" -keyout gateway.key -out gateway.csr
#   openssl x509 -req -in gateway.csr -CA devices-ca.pem -CAkey ca.key -days 730 -copy_extensions copy -out gateway.pem
#   openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=meter-1.station.example" -keyout meter-1.key -out meter-1.csr
#   openssl x509 -req -in meter-1.csr -CA devices-ca.pem -CAkey ca.key -days 730 -out meter-1.pem
#
# The last two are for each device. Devices get devices-ca.pem to know the gateway by. Keep ca.key away from the gateway.

zone "field" {
  listen        = "10.30.0.1:21"
  passive_ports = "50000-50031"

  tls           = "required"
  certificate   = "gateway.pem"
  private_key   = "gateway.key"
  client_ca     = "devices-ca.pem"
  data_tls      = "required" # files as well as passwords
  session_reuse = "required" # nobody but the device itself opens its data connections
}

# Meters that only know TLS from the first byte.
zone "field-implicit" {
  listen        = "10.30.0.1:990"
  passive_ports = "50032-50063"

  tls         = "required"
  tls_mode    = "implicit"
  certificate = "gateway.pem"
  private_key = "gateway.key"
  client_ca   = "devices-ca.pem"
  data_tls    = "required"
}

conduit "operations" {
  address     = "sftp.control.example:22"
  user        = "ftpgw"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/ingest/meters"
}

audit {
  dir = "/var/lib/ftpgw/audit"
}

# The password of this example is "example-password": change it.
device "meter-1" {
  password_hash     = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from              = ["10.30.1.1/32"]
  certificate_names = ["meter-1.station.example"]
}

rule "readings" {
  reason   = "BIL-7: load profiles for billing"
  devices  = ["meter-*"]
  allow    = ["upload", "list"]
  paths    = ["/", "/*.csv"]
  max_size = "8MiB"
}
