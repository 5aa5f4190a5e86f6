"""A ledger of trades that can be checked by someone who does not trust the one who keeps it.

    ledger = Ledger.create(engine, run_id, households, read_or_make_operator_key(path))     # store, keys
    ledger.append(step, seller, buyer, kwh, price, fee)                 # returns when the block is committed
    anchor = export_ledger(read_ledger(engine, run_id), folder)         # export: ledger.jsonl and anchor.json
    append_anchor(anchors_file, anchor)                                 # anchor: outside the database
    verify_folder(folder, anchors_file).first_bad                       # folder, verify: "" or "block 12: ..."

One block for each step with trades; block 0 commits to the ledger's name, the operator's key and the members' keys.
``merkle`` is the tree, ``records`` the bytes that are hashed and signed, ``proof`` the inclusion proof of one trade,
``evm`` the anchor on a chain (extra ``evm``).
"""
