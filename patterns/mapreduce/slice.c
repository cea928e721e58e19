/* Cutting texts between words. */
#include "mapreduce.h"

#define ROW_4(v) v, v, v, v
#define ROW_16(v) ROW_4(v), ROW_4(v), ROW_4(v), ROW_4(v)
#define ROW_64(v) ROW_16(v), ROW_16(v), ROW_16(v), ROW_16(v)

const unsigned char weft_slice_letters[256] = {
	['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1,
	['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1,
	['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1,
	['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1,
	['Y'] = 1, ['Z'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1,
	['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1,
	['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1,
	['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1, ['u'] = 1, ['v'] = 1,
	['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};

/* All but tab, newline, vertical tab, form feed, carriage return (9 to 13) and
 * space (32). */
const unsigned char weft_slice_not_spaces[256] = {
	/* 0 to 8 */ ROW_4(1),
	ROW_4(1),
	1,
	/* 9 to 13 */ ROW_4(0),
	0,
	/* 14 to 31 */ 1,
	1,
	ROW_16(1),
	/* 32 to 39 */ 0,
	1,
	1,
	1,
	ROW_4(1),
	/* 40 to 63 */ ROW_4(1),
	ROW_4(1),
	ROW_16(1),
	/* 64 to 255 */ ROW_64(1),
	ROW_64(1),
	ROW_64(1),
};

struct weft_slice weft_slice_cut(struct weft_slice *text, size_t bytes,
                                 const unsigned char *word)
{
	struct weft_slice piece = { NULL, 0 };
	size_t n;

	if (!text)
		return piece;
	piece = *text;
	n = bytes < text->bytes ? bytes : text->bytes;
	word = word ? word : weft_slice_not_spaces;
	if (n && word[(unsigned char)text->at[n - 1]])
		while (n < text->bytes && word[(unsigned char)text->at[n]])
			n++;
	piece.bytes = n;
	if (n) {
		text->at += n;
		text->bytes -= n;
	}
	return piece;
}
