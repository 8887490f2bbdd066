"""What people read of a device, in the words of IOS XE, and the same as YANG data.

    model = reading.model_of(record, now, transport="smart", url="https://vip/SmartTransport")
    print(commands.text("license status", model))
    print(yang.document(model))

`model` is what there is to show (protocol, "What people read"), `reading` makes it of a device's record; the
texts and the YANG tree know the model only. Pure: no clock, no file. The rooms are imported one by one, so
that a command starts quickly.
"""
