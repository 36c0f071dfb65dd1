// zlib: inflate, deflate and CRC-32 for .npz archives.
#include <zlib.h>
