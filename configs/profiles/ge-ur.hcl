# Universal Relays of GE Multilin. Lay this file beside the other files of a configuration directory, and give each device that it is
# for the line: profile = "ge-ur"
#
# No setting has a published source; start from the defaults and read the audit log's refused commands.
#
# What is published has the relay as a server, and not one of FTP: a TFTP server (GE Multilin, T60 Transformer Protection System,
# UR Series Instruction Manual, section 5.2, "TFTP protocol"), and files by Modbus (F60 Feeder Protection System, appendix B.3.1).
# What logs in here is then whatever fetches from the relays, and what that needs is in its own manual.
profile "ge-ur" {
}
