"""Deliveries of webhooks: signed, posted to addresses of the internet, tried again for days."""
