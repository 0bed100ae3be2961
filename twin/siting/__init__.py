"""Siting: the rules of clauses 5.1.1 and 5.1.2 (:mod:`twin.siting.rules`), choosing sites."""
