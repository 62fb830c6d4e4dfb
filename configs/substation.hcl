# Disturbance records leave a substation.
#
# Protection relays in bay 7 upload COMTRADE records by FTP. The gateway carries them to the control centre's SFTP server, and tells a
# relay "226 Transfer complete" only when the record is durable there - so a relay that deletes its copy then loses nothing.
#
#   relay ---FTP---> [ bay-7 | gateway | control-centre ] ---SFTP---> server
#
# Before you start:
#   ssh-keygen -t ed25519 -N "" -f id_ed25519                       the gateway's key; install id_ed25519.pub on the server
#   ssh-keyscan -p 22 sftp.control.example > known_hosts            then compare: ssh-keygen -lf known_hosts
#   ftpgw hash-password                                             once for each device
#   ftpgw check --config substation.hcl

# The station's side: the address of this machine in the bay's network.
zone "bay-7" {
  listen        = "10.7.0.1:21"
  passive_ports = "50000-50099" # let these through the bay's firewall, to this machine only
  greeting      = "Station 12, bay 7"
}

# The other side: the only server that the gateway ever dials.
conduit "control-centre" {
  address     = "sftp.control.example:22"
  user        = "station-12"
  identity    = "id_ed25519" # relative to this file; mode 0600
  known_hosts = "known_hosts"
  root        = "/ingest/station-12"
}

# Who did what, when, and by which rule. Keep it for as long as your records schedule says.
audit {
  dir = "/var/lib/ftpgw/audit"
}

# One block for each relay. The password of these examples is "example-password": change it.
device "relay-12" {
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from          = ["10.7.0.12/32"]
}

device "relay-13" {
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from          = ["10.7.0.13/32"]
  home          = "/relays/13" # below /ingest/station-12; without home it would be /relay-13
}

# The first rule that matches decides. What no rule allows is denied.

rule "no-settings" {
  reason = "CIP-011: protection settings are BCSI and do not leave the station this way"
  deny   = ["upload", "append", "rename"]
  paths  = ["**/*.set", "**/*.rdb"]

  ignore_case = true # relays write SET_1.SET as well
}

rule "disturbance-records" {
  reason   = "PRC-002: disturbance records leave the station"
  devices  = ["relay-*"]
  allow    = ["upload", "list", "mkdir"]
  paths    = ["/events/**"]
  max_size = "64MiB"

  # Each relay: one that has gone wrong must neither fill the control centre's disk nor keep the others from the link.
  limit {
    files_per_hour = 600
    bytes_per_day  = "4GiB"
    concurrent     = 2
  }
}

# Some relays look around before they send. This lets them list their root: the names in it, whatever they are, but not what is in
# those directories.
rule "look-around" {
  reason  = "relays list their root before each upload"
  devices = ["relay-*"]
  allow   = ["list"]
  paths   = ["/"]
}
