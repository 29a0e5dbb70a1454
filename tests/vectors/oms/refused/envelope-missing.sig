{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": {"publicKey": {"hint": "65f124b096b07300e1a4a475b2badfc126fc3f917b747a91c1003eb6f638e668"}, "tlogEntries": []}}
