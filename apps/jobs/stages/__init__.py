"""The stages of a job: split, extract, plan, recognize, model, assemble."""
