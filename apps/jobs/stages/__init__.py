"""The stages of a job: split, extract, plan, recognize, route, model, assemble."""
