"""What is compared pixel by pixel, with the few memories that are worth it."""
