"""Model providers: their accounts, what may be used of them, and the one door every call goes through."""
