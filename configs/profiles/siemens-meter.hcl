# Power meters and power quality recorders of Siemens. Lay this file beside the other files of a configuration directory, and give
# each device that it is for the line: profile = "siemens-meter"
#
# No setting has a published source; start from the defaults and read the audit log's refused commands.
#
# What is published has the meter as a server, from which others fetch: by FTP (9410 series user manual, 7EN05-0336,
# Communications, "FTP file structure and permissions") or by HTTP (SICAM P850/P855 Device Manual, E50417-H1040-C482-A6, 4.1.2.6,
# "Storing and Transmitting Recorder Data"). What logs in here is then whatever fetches from the meters, and what that needs is in
# its own manual.
profile "siemens-meter" {
}
