"""The stream behind `rocov2_tasks.pretraining`, in the order of the data.

layout          shards and row groups of a split, from `conversion.json`
order           the epoch's row order
world           ranks and workers, and their shares of the positions
state           the position from which a stream resumes
iterator        one iteration, from a state to rows
batches         rows and pixels of a batch, in order
prefetch        pieces of row groups, read ahead up to a number of bytes
reading         row groups from a folder, or from the Hub by remote
image_bytes     images from the pages of a file
decoding        JPEGs to pixels, with geometry and plain_resize
shared          the position and the counts that the workers of torch share
costs           what an iteration has read, decoded and waited for
"""
