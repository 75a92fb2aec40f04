"""The state of one attempt: what is recorded, asked, timed, failed and not yet stored."""
