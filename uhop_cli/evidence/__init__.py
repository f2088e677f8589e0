"""The choice by evidence: likelihoods, statistics, codes, confidence."""
