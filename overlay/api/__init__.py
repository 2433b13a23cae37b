"""The HTTP JSON interface under /api/v1, and the two health routes."""
