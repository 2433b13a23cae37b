"""What to ask and when: checklist definitions and the rules that show them."""
