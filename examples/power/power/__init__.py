"""power: a small calculator service (addition and power) whose limits are each environment's own."""
