"""When and where a step runs: claim, lease, dispatch, rescue."""
