"""The operator's commands: docs/commands.md is their form, core/rules/commands.py their rule."""

# what a reply says
ACCEPTED = "Accepted"
SCHEDULED = "Scheduled"
REBOOT_REQUIRED = "RebootRequired"
REJECTED = "Rejected"
FAILED = "Failed"
VERSION_MISMATCH = "VersionMismatch"
NOT_SUPPORTED = "NotSupported"
