"""What the stream of `rocov2_tasks.pretraining` is made of.

layout says where the rows lie, order which comes when, world whose it is; state and iterating go from a state to batches.
loading reads ahead within a number of bytes; reading reads row groups, of a folder or by remote of the Hub, into values;
decoding turns JPEGs into pixels; sharing hands them to the workers of torch.
"""
