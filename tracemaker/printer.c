// SPDX-License-Identifier: GPL-2.0-only
#include "printer.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

struct run {
	const struct printer *p;
	const uint8_t *data;
	size_t len;
	struct names *names;
	struct buf *out;
	bool cut; /* the value just computed lies beyond the record */
};

void printer_deinit(struct printer *p)
{
	free(p->steps);
	free(p->code);
	free(p->values);
	buf_deinit(&p->texts);
	*p = (struct printer){ 0 };
}

/* Lists double in size whenever their length is a power of two. */
static void *add(void *list, uint32_t *nr, size_t size)
{
	if (!(*nr & (*nr - 1)))
		list = realloc(list, (*nr ? *nr * 2 : 1) * size);
	if (!list)
		abort();
	memset((char *)list + *nr * size, 0, size);
	++*nr;
	return list;
}

struct printer_step *printer_add_step(struct printer *p)
{
	p->steps = add(p->steps, &p->nr_steps, sizeof(*p->steps));
	return &p->steps[p->nr_steps - 1];
}

struct printer_code *printer_add_code(struct printer *p)
{
	p->code = add(p->code, &p->nr_code, sizeof(*p->code));
	return &p->code[p->nr_code - 1];
}

struct printer_value *printer_add_value(struct printer *p)
{
	p->values = add(p->values, &p->nr_values, sizeof(*p->values));
	return &p->values[p->nr_values - 1];
}

bool printer_dynamic(const void *data, size_t len, uint32_t off, bool relative,
		     uint32_t *ret_off, uint32_t *ret_len)
{
	uint32_t word;

	if (len < 4 || off > len - 4)
		return false;
	memcpy(&word, (const char *)data + off, 4);
	*ret_off = (word & 0xffff) + (relative ? off + 4 : 0);
	*ret_len = word >> 16;
	return *ret_off <= len && *ret_len <= len - *ret_off;
}

static uint64_t number_at(struct run *r, uint64_t off, uint32_t size)
{
	if (size > r->len || off > r->len - size) {
		r->cut = true;
		return 0;
	}
	return printer_number(r->data + off, size);
}

static uint64_t element(struct run *r, const struct printer_code *c,
			uint64_t index)
{
	uint32_t off = c->off, len = c->value;

	if (c->op == CODE_DYN_ELEMENT &&
	    !printer_dynamic(r->data, r->len, c->off, c->relative, &off, &len))
		len = 0;
	if (index >= len / c->size) {
		r->cut = true;
		return 0;
	}
	return number_at(r, off + index * c->size, c->size);
}

static uint64_t dyn_len(struct run *r, const struct printer_code *c)
{
	uint32_t off, len;

	if (printer_dynamic(r->data, r->len, c->off, c->relative, &off, &len))
		return len;
	r->cut = true;
	return 0;
}

static uint64_t combine(uint8_t op, uint64_t a, uint64_t b)
{
	switch (op) {
	case CODE_ADD:
		return a + b;
	case CODE_SUB:
		return a - b;
	case CODE_MUL:
		return a * b;
	case CODE_DIV:
		return b ? a / b : 0;
	case CODE_MOD:
		return b ? a % b : 0;
	case CODE_AND:
		return a & b;
	case CODE_OR:
		return a | b;
	case CODE_XOR:
		return a ^ b;
	case CODE_SHL:
		return a << (b & 63);
	case CODE_SHR:
		return a >> (b & 63);
	case CODE_EQ:
		return a == b;
	case CODE_NE:
		return a != b;
	case CODE_LT:
		return a < b;
	case CODE_LE:
		return a <= b;
	case CODE_GT:
		return a > b;
	case CODE_GE:
		return a >= b;
	case CODE_BOTH:
		return a && b;
	default:
		return a || b;
	}
}

static uint64_t compute(struct run *r, uint32_t start)
{
	/* The first is below the stack. */
	uint64_t stack[1 + PRINTER_STACK], *top = stack;

	for (const struct printer_code *c = &r->p->code[start];; c++)
		switch (c->op) {
		case CODE_END:
			return *top;
		case CODE_CONSTANT:
			*++top = c->value;
			break;
		case CODE_FIELD:
			*++top = number_at(r, c->off, c->size);
			break;
		case CODE_ELEMENT:
		case CODE_DYN_ELEMENT:
			*top = element(r, c, *top);
			break;
		case CODE_DYN_LEN:
			*++top = dyn_len(r, c);
			break;
		case CODE_MASK:
			*top &= c->value;
			break;
		case CODE_NOT:
			*top = !*top;
			break;
		case CODE_INVERT:
			*top = ~*top;
			break;
		case CODE_SELECT:
			top -= 2;
			*top = *top ? top[1] : top[2];
			break;
		default:
			top--;
			*top = combine(c->op, top[0], top[1]);
		}
}

static inline uint64_t value_of(struct run *r, const struct printer_step *s)
{
	r->cut = false;
	if (s->field_size)
		return number_at(r, s->off, s->field_size) & s->mask;
	return compute(r, s->expr);
}

static void cut(struct run *r)
{
	buf_puts(r->out, "(cut)");
}

/* ---- Numbers ---- */

static char *digits(char *end, uint64_t v, char conv)
{
	static const char low[] = "0123456789abcdef";
	static const char high[] = "0123456789ABCDEF";

	switch (conv) {
	case 'x':
	case 'X':
		do
			*--end = (conv == 'x' ? low : high)[v & 15];
		while (v >>= 4);
		break;
	case 'o':
		do
			*--end = '0' + (v & 7);
		while (v >>= 3);
		break;
	default:
		do
			*--end = '0' + v % 10;
		while (v /= 10);
	}
	return end;
}

/* Sign or "0x"; @v becomes what is left to print. */
static const char *prefix(const struct printer_step *s, uint64_t *v)
{
	if (s->conv == 'd') {
		if ((int64_t)*v < 0) {
			*v = -*v;
			return "-";
		}
		return s->flags & PRINT_PLUS	? "+"
		       : s->flags & PRINT_SPACE ? " "
						: "";
	}
	if (s->flags & PRINT_ALT && *v)
		return s->conv == 'x'	? "0x"
		       : s->conv == 'X' ? "0X"
		       : s->conv == 'o' ? "0"
					: "";
	return "";
}

static uint64_t cut_to(const struct printer_step *s, uint64_t v)
{
	unsigned int shift = 64 - 8 * s->size;

	v <<= shift;
	return s->conv == 'd' ? (uint64_t)((int64_t)v >> shift) : v >> shift;
}

/* "%d", "%u", "%x" and so on, without further wishes. */
static void print_plain(struct run *r, const struct printer_step *s, uint64_t v)
{
	char text[24], *end = text + sizeof(text), *p;
	bool minus = s->conv == 'd' && (int64_t)v < 0;

	p = digits(end, minus ? -v : v, s->conv);
	if (minus)
		*--p = '-';
	buf_add(r->out, p, end - p);
}

/* As printf() does it. */
static void print_int(struct run *r, const struct printer_step *s, uint64_t v,
		      int width, int precision)
{
	char text[24], *end = text + sizeof(text), *p;
	const char *before;
	int len, zeros = 0, blanks, nr_before;
	char *to;

	v = cut_to(s, v);
	if (width <= 0 && precision < 0 && !s->flags) {
		print_plain(r, s, v);
		return;
	}
	before = prefix(s, &v);
	p = v || precision ? digits(end, v, s->conv) : end;
	len = end - p;
	nr_before = strlen(before);
	if (precision > len)
		zeros = precision - len;
	blanks = width - len - zeros - nr_before;
	if (blanks < 0)
		blanks = 0;
	if (precision < 0 &&
	    (s->flags & (PRINT_ZERO | PRINT_MINUS)) == PRINT_ZERO) {
		zeros += blanks;
		blanks = 0;
	}
	to = buf_reserve(r->out, nr_before + len + zeros + blanks);
	if (!(s->flags & PRINT_MINUS)) {
		memset(to, ' ', blanks);
		to += blanks;
	}
	memcpy(to, before, nr_before);
	memset(to + nr_before, '0', zeros);
	memcpy(to + nr_before + zeros, p, len);
	to += nr_before + zeros + len;
	if (s->flags & PRINT_MINUS) {
		memset(to, ' ', blanks);
		to += blanks;
	}
	*to = '\0';
	r->out->len = to - r->out->data;
}

static void print_hex(struct run *r, uint64_t v)
{
	print_int(r, &(struct printer_step){ .conv = 'x', .size = 8 }, v, 0,
		  -1);
}

static void print_0x(struct run *r, uint64_t v)
{
	buf_add(r->out, "0x", 2);
	print_hex(r, v);
}

/* What a '*' stands for; -1: nothing. */
static int star(struct run *r, const struct printer_step *s, uint32_t flag,
		int otherwise)
{
	int64_t v;

	if (!(s->flags & flag))
		return otherwise;
	v = (int32_t)compute(r, s->star);
	return v < 0 ? -1 : v > PRINTER_WIDTH_MAX ? PRINTER_WIDTH_MAX : v;
}

static void step_int(struct run *r, const struct printer_step *s)
{
	uint64_t v = value_of(r, s);
	int width = star(r, s, PRINT_STAR_WIDTH, s->width);
	int precision = star(r, s, PRINT_STAR_PREC, s->precision);

	if (r->cut)
		cut(r);
	else
		print_int(r, s, v, width, precision);
}

/* ---- Strings ---- */

void printer_escaped(struct buf *out, const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[n] >= 0x20 && s[n] < 0x7f && s[n] != '\\')
		n++;
	if (n)
		buf_add(out, s, n);
	if (n < len)
		buf_add_escaped(out, s + n, len - n);
}

static void pad(struct buf *out, size_t n)
{
	memset(buf_reserve(out, n), ' ', n);
	out->len += n;
	out->data[out->len] = '\0';
}

static void print_string(struct run *r, const struct printer_step *s,
			 const char *text, size_t len, int precision)
{
	int width = star(r, s, PRINT_STAR_WIDTH, s->width);
	size_t before = r->out->len, n;

	if (precision >= 0 && len > (size_t)precision)
		len = precision;
	printer_escaped(r->out, text, len);
	n = r->out->len - before;
	if ((size_t)width <= n || width < 0)
		return;
	pad(r->out, width - n);
	if (!(s->flags & PRINT_MINUS)) {
		memmove(r->out->data + before + width - n,
			r->out->data + before, n);
		memset(r->out->data + before, ' ', width - n);
	}
}

static const char *text_of(const struct run *r, uint32_t at)
{
	return r->p->texts.data + at;
}

static void step_literal(struct run *r, const struct printer_step *s)
{
	print_string(r, s, text_of(r, s->text), s->text_len,
		     star(r, s, PRINT_STAR_PREC, s->precision));
}

/* The bytes that a step is about: a field's, or a dynamic field's. */
static const uint8_t *bytes_of(struct run *r, const struct printer_step *s,
			       uint32_t *ret_len)
{
	uint32_t off = s->off, len = s->len;

	if (s->flags & PRINT_DYNAMIC) {
		if (!printer_dynamic(r->data, r->len, s->off,
				     s->flags & PRINT_RELATIVE, &off, &len))
			return NULL;
	} else {
		if (off > r->len || len > r->len - off)
			return NULL;
		if (!len)
			len = r->len - off;
	}
	*ret_len = len;
	return r->data + off;
}

static void step_string(struct run *r, const struct printer_step *s)
{
	int precision = star(r, s, PRINT_STAR_PREC, s->precision);
	uint32_t len;
	const char *text = (const char *)bytes_of(r, s, &len);
	size_t n;

	if (!text) {
		cut(r);
		return;
	}
	/* The kernel leaves a string that it does not have without a byte. */
	if (!len && s->flags & PRINT_DYNAMIC)
		return;
	n = strnlen(text, len);
	print_string(r, s, text, n, precision);
	if (n == len && s->flags & PRINT_DYNAMIC &&
	    (precision < 0 || (size_t)precision > len))
		cut(r);
}

/* ---- Names for numbers ---- */

static void step_flags(struct run *r, const struct printer_step *s)
{
	uint64_t v = value_of(r, s);
	bool some = false;

	if (r->cut) {
		cut(r);
		return;
	}
	for (uint32_t i = 0; i < s->nr_table; i++) {
		const struct printer_value *f = &r->p->values[s->table + i];

		if ((int64_t)f->value <= 0 || (v & f->value) != f->value)
			continue;
		if (some)
			buf_add(r->out, text_of(r, s->text), s->text_len);
		print_string(r, s, text_of(r, f->text), f->text_len,
			     s->precision);
		some = true;
		v &= ~f->value;
	}
	if (v) {
		if (some)
			buf_add(r->out, text_of(r, s->text), s->text_len);
		print_0x(r, v);
	}
}

static void step_symbol(struct run *r, const struct printer_step *s)
{
	const struct printer_value *f = &r->p->values[s->table];
	uint64_t v = value_of(r, s);

	if (r->cut) {
		cut(r);
		return;
	}
	for (uint32_t i = 0; i < s->nr_table; i++)
		if (f[i].value == v) {
			print_string(r, s, text_of(r, f[i].text), f[i].text_len,
				     s->precision);
			return;
		}
	print_0x(r, v);
}

static void step_function(struct run *r, const struct printer_step *s)
{
	uint64_t v = value_of(r, s);
	const struct name *n;

	if (r->cut) {
		cut(r);
		return;
	}
	n = r->names ? names_at(r->names, v) : NULL;
	if (!n || !n->known) {
		print_0x(r, v);
		return;
	}
	buf_add(r->out, n->text, n->len);
	if (s->op == STEP_FUNCTION_OFF) {
		buf_putc(r->out, '+');
		print_0x(r, v - n->start);
	}
}

/* ---- Bytes ---- */

static void add_byte(struct buf *out, uint8_t byte, bool upper)
{
	const char *digit = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char two[2] = { digit[byte >> 4], digit[byte & 15] };

	buf_add(out, two, 2);
}

static void step_hex(struct run *r, const struct printer_step *s)
{
	uint32_t len, n;
	const uint8_t *p = bytes_of(r, s, &len);

	r->cut = false;
	n = compute(r, s->count);
	if (!p || r->cut) {
		cut(r);
		return;
	}
	for (uint32_t i = 0; i < n && i < len; i++) {
		if (i)
			buf_add(r->out, text_of(r, s->text), s->text_len);
		add_byte(r->out, p[i], false);
	}
	/* %*ph may ask for more than there is. */
	if (n > len && !(s->flags & PRINT_STAR_WIDTH))
		cut(r);
}

static void step_ints(struct run *r, const struct printer_step *s)
{
	uint32_t len, n, size;
	const uint8_t *p = bytes_of(r, s, &len);

	r->cut = false;
	n = compute(r, s->count);
	size = compute(r, s->elem);
	if (!p || r->cut ||
	    (size != 1 && size != 2 && size != 4 && size != 8)) {
		cut(r);
		return;
	}
	buf_putc(r->out, '{');
	for (uint32_t i = 0; i < n && i < len / size; i++) {
		if (i)
			buf_putc(r->out, ',');
		print_0x(r, printer_number(p + i * size, size));
	}
	if (n > len / size)
		cut(r);
	buf_putc(r->out, '}');
}

/* Highest byte first, a comma between every four. */
static void step_bitmask(struct run *r, const struct printer_step *s)
{
	uint32_t len;
	const uint8_t *p = bytes_of(r, s, &len);

	if (!p) {
		cut(r);
		return;
	}
	for (uint32_t i = len; i--;) {
		add_byte(r->out, p[i], false);
		if (i && i % 4 == 0)
			buf_putc(r->out, ',');
	}
}

static bool has_bit(const uint8_t *p, uint32_t bit)
{
	return p[bit / 8] >> bit % 8 & 1;
}

/* "0-2,5" */
static void step_cpus(struct run *r, const struct printer_step *s)
{
	uint32_t len, bits;
	const uint8_t *p = bytes_of(r, s, &len);
	bool some = false;

	if (!p) {
		cut(r);
		return;
	}
	bits = len * 8;
	for (uint32_t first = 0; first < bits; first++) {
		uint32_t last = first;

		if (!has_bit(p, first))
			continue;
		while (last + 1 < bits && has_bit(p, last + 1))
			last++;
		buf_printf(r->out, some ? ",%u" : "%u", first);
		if (last > first)
			buf_printf(r->out, "-%u", last);
		some = true;
		first = last;
	}
}

static void step_mac(struct run *r, const struct printer_step *s)
{
	uint32_t len;
	const uint8_t *p = bytes_of(r, s, &len);

	if (!p || len < 6) {
		cut(r);
		return;
	}
	for (int i = 0; i < 6; i++) {
		if (i)
			buf_add(r->out, text_of(r, s->text), s->text_len);
		add_byte(r->out, p[s->op == STEP_MAC ? i : 5 - i], false);
	}
}

static void print_ip4(struct run *r, const struct printer_step *s,
		      const uint8_t *p)
{
	bool swapped = s->flags & PRINT_SWAPPED;
	const char *fmt =
		s->flags & PRINT_BARE ? "%03d.%03d.%03d.%03d" : "%d.%d.%d.%d";

	buf_printf(r->out, fmt, p[swapped ? 3 : 0], p[swapped ? 2 : 1],
		   p[swapped ? 1 : 2], p[swapped ? 0 : 3]);
}

/* An address that ends in an IPv4 address: ::ffff:1.2.3.4, or ISATAP. */
static bool ends_in_ip4(const uint8_t *p)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(p, mapped, 12) || ((p[8] & ~2) == 0 && p[9] == 0 &&
					  p[10] == 0x5e && p[11] == 0xfe);
}

/* Groups without leading zeros, the longest run of zero groups as "::". */
static void print_ip6_compact(struct run *r, const uint8_t *p)
{
	int range = ends_in_ip4(p) ? 6 : 8, best = -1, longest = 1;
	bool colon = false;

	for (int i = 0, n; i < range; i++) {
		for (n = 0;
		     i + n < range && !p[2 * (i + n)] && !p[2 * (i + n) + 1];
		     n++)
			;
		if (n > longest) {
			longest = n;
			best = i;
		}
	}
	for (int i = 0; i < range; i++) {
		if (i == best) {
			buf_puts(r->out, colon || !i ? "::" : ":");
			colon = false;
			i += longest - 1;
			continue;
		}
		buf_printf(r->out, colon ? ":%x" : "%x",
			   p[2 * i] << 8 | p[2 * i + 1]);
		colon = true;
	}
	if (range == 6) {
		if (colon)
			buf_putc(r->out, ':');
		print_ip4(r, &(struct printer_step){ 0 }, p + 12);
	}
}

static void print_ip6(struct run *r, const struct printer_step *s,
		      const uint8_t *p)
{
	if (s->flags & PRINT_COMPACT) {
		print_ip6_compact(r, p);
		return;
	}
	for (int i = 0; i < 16; i++) {
		add_byte(r->out, p[i], false);
		if (i % 2 && i < 15 && !(s->flags & PRINT_BARE))
			buf_putc(r->out, ':');
	}
}

static void step_ip(struct run *r, const struct printer_step *s)
{
	uint32_t len;
	const uint8_t *p = bytes_of(r, s, &len);

	if (!p || len < (s->op == STEP_IP4 ? 4 : 16))
		cut(r);
	else if (s->op == STEP_IP4)
		print_ip4(r, s, p);
	else
		print_ip6(r, s, p);
}

static void step_sockaddr(struct run *r, const struct printer_step *s)
{
	bool port = s->flags & PRINT_PORT;
	uint32_t len;
	const uint8_t *p = bytes_of(r, s, &len);
	uint16_t family;

	if (!p || len < 2) {
		cut(r);
		return;
	}
	memcpy(&family, p, 2);
	if (family == AF_INET) {
		if (len < sizeof(struct sockaddr_in)) {
			buf_puts(r->out, "INVALIDIPv4");
			return;
		}
		print_ip4(r, s, p + 4);
	} else if (family == AF_INET6) {
		if (len < sizeof(struct sockaddr_in6)) {
			buf_puts(r->out, "INVALIDIPv6");
			return;
		}
		if (port)
			buf_putc(r->out, '[');
		print_ip6(r, s, p + 8);
		if (port)
			buf_putc(r->out, ']');
	} else {
		return;
	}
	if (port)
		buf_printf(r->out, ":%d", p[2] << 8 | p[3]);
}

static void step_uuid(struct run *r, const struct printer_step *s)
{
	static const uint8_t guid[16] = { 3, 2, 1,  0,	5,  4,	7,  6,
					  8, 9, 10, 11, 12, 13, 14, 15 };
	uint32_t len;
	const uint8_t *p = bytes_of(r, s, &len);

	if (!p || len < 16) {
		cut(r);
		return;
	}
	for (int i = 0; i < 16; i++) {
		add_byte(r->out, p[s->flags & PRINT_SWAPPED ? guid[i] : i],
			 s->flags & PRINT_UPPER);
		if (i == 3 || i == 5 || i == 7 || i == 9)
			buf_putc(r->out, '-');
	}
}

static void step_char(struct run *r, const struct printer_step *s)
{
	char ch = value_of(r, s);

	if (r->cut)
		cut(r);
	else if (ch)
		print_string(r, s, &ch, 1, -1);
}

static void step_pointer(struct run *r, const struct printer_step *s)
{
	uint64_t v = value_of(r, s);

	if (r->cut)
		cut(r);
	else if (v)
		print_0x(r, v);
	else
		buf_puts(r->out, "(nil)");
}

void printer_run(const struct printer *p, const void *data, size_t len,
		 struct names *names, struct buf *out)
{
	struct run r = { p, data, len, names, out, false };

	for (uint32_t i = 0; i < p->nr_steps; i++) {
		const struct printer_step *s = &p->steps[i];

		switch (s->op) {
		case STEP_TEXT:
			buf_add(out, text_of(&r, s->text), s->text_len);
			break;
		case STEP_LITERAL:
			step_literal(&r, s);
			break;
		case STEP_INT:
			step_int(&r, s);
			break;
		case STEP_CHAR:
			step_char(&r, s);
			break;
		case STEP_POINTER:
			step_pointer(&r, s);
			break;
		case STEP_FUNCTION:
		case STEP_FUNCTION_OFF:
			step_function(&r, s);
			break;
		case STEP_STRING:
			step_string(&r, s);
			break;
		case STEP_FLAGS:
			step_flags(&r, s);
			break;
		case STEP_SYMBOL:
			step_symbol(&r, s);
			break;
		case STEP_HEX:
			step_hex(&r, s);
			break;
		case STEP_INTS:
			step_ints(&r, s);
			break;
		case STEP_BITMASK:
			step_bitmask(&r, s);
			break;
		case STEP_CPUS:
			step_cpus(&r, s);
			break;
		case STEP_MAC:
		case STEP_MAC_REVERSED:
			step_mac(&r, s);
			break;
		case STEP_IP4:
		case STEP_IP6:
			step_ip(&r, s);
			break;
		case STEP_SOCKADDR:
			step_sockaddr(&r, s);
			break;
		case STEP_UUID:
			step_uuid(&r, s);
			break;
		case STEP_UNLESS:
			if (!value_of(&r, s))
				i = s->target - 1;
			break;
		case STEP_GOTO:
			i = s->target - 1;
			break;
		}
	}
}
