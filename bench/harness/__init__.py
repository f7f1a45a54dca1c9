"""What cases are made with: processes, the fleet, the peers."""
