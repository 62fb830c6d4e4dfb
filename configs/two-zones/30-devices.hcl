# The password of these examples is "example-password": change it.

device "relay-12" {
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from          = ["10.7.0.12/32"]
}

device "camera-gate" {
  user          = "camera"
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from          = ["10.8.1.1/32"]
}

device "camera-yard" { # the same user as camera-gate, told apart by the address
  user          = "camera"
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from          = ["10.8.1.2/32"]
}

device "meter-1" {
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from          = ["10.8.2.0/24"]
  home          = "/meters"
}
