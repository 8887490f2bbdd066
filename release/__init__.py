"""What a release needs and no user does: audits, the list of what a wheel brings, fixtures of formats."""
