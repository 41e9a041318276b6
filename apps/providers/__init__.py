"""Model providers: accounts, deployments, quotas, the ledger, and the gateway through which every call goes."""
