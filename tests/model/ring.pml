/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ring protocol for spin: guest/xft_ring.h against kvm-memfile/ring.c, with
 * the keys in the mailbox. Steps have the names they have there, but for what all
 * of a file begin with; tests/cli/52-model.sh looks whether they still do:
 *
 *	guest/xft_ring.h	xft_ring_ready xft_ring_prepare xft_ring_stale
 *	guest/xft_ring.h	xft_ring_turn xft_ring_close xft_ring_take_key
 *	guest/xft_ring.h	xft_ring_task xft_ring_call xft_publish
 *	kvm-memfile/ring.c	ring_next look_at_head open_sub skip_to give_up_sub
 *	kvm-memfile/ring.c	ring_accept ring_check_end
 *	abi/xft_abi.h		head seq used epoch key
 *
 *	spin -a [-DNAME...] ring.pml
 *	gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -m50000
 *
 * Who takes part:
 *
 *	Hook	writes records, one after the other, as interrupts are off; with
 *		-DNMIS=n NMIs come in between any two of its steps, and write to
 *		a ring of their own. Who reads one ring cannot tell apart the
 *		steps of who writes to the other: they are one
 *	Poll	the module's thread: kicks writers, closes the rings at STOP
 *	Host	gives out new keys, at any time
 *	Reader	reads one of the rings, as fast or as slowly as it likes; as it
 *		only loads, two readers need not be seen together
 *
 * A step is one load or one store, with what is done in private before or after
 * it. So a record, a sub-buffer's header and a key can be met half written.
 * Assumed is that stores are seen, and loads are done, in program order. That is
 * what x86 promises between processors; the barriers in the code keep the
 * compiler to it, and would keep other processors, where it counts: seq before
 * all else in a sub-buffer, head after the record, key before epoch, the copy
 * before the second look at seq. Not in here: hostile guests, time stamps,
 * TASKs amid a sub-buffer, and that words overtake each other between barriers.
 *
 * A word in the ring is the serial number of its record, the key it is masked
 * with, and, if it is the first, the record's length. The reader's own count
 * says which word must come next, so one comparison finds what is torn, stale,
 * read twice, counted wrongly or unmasked with another key.
 *
 * accepted and lost are not kept, only their sum, ring.c's records: what is
 * lost is what a header says beyond it, after a lap.
 *
 * Smaller than in life: a sub-buffer's header and TASK, of one word each, a key,
 * which is its epoch's number, and tries in take_key. Each rule named in
 * tests/cli/52-model.sh is broken by -DRULE, and then an assertion fails.
 */
#ifndef RECORDS
#define RECORDS	12	/* calls and events; TASKs come on top */
#endif
#ifndef NMIS
#define NMIS	0	/* more records, from NMIs */
#endif
#ifndef EPOCHS
#define EPOCHS	1	/* keys that the host gives out */
#endif
#ifndef MIXES
#define MIXES	4	/* of kinds of records */
#endif
#define SUBS	4
#ifndef DATA
#define DATA	5	/* words of records in a sub-buffer */
#endif
#define HEADER	1
#define SIZE	(HEADER + DATA)
#define CALL_WORDS 2
#define TASK_WORDS 1
#define LONG_WORDS 4
#define TRIES	2	/* of take_key */

#define WORD(serial, key, len) ((serial) << 5 | (key) << 3 | (len))

/* The sub-buffer that a position lies in; see open_sub(). */
#ifdef FULL_IS_CLOSED
#define OPEN_SUB(head) ((head) / SIZE)
#else
#define OPEN_SUB(head) (((head) + SIZE - 1) / SIZE - ((head) > 0))
#endif
#define WRITERS_SUB(r) ((ring[r].head - 1) / SIZE)

typedef Sub {
	byte seq;		/* number + 1 */
	byte before;
	byte epoch;
	byte used;
	short word[DATA];
};

typedef Ring {
	byte head;		/* in words */
	byte end;		/* 0: kicked */
	bool named;		/* task: TASK stands in the open sub-buffer */
	byte records;		/* in sub-buffers before the open one */
	byte odd;
	byte odd_words;
	byte epoch;
	byte key;
	byte made;		/* records begun: the next one's serial */
	Sub sub[SUBS];
};

typedef Mbox {
	byte epoch;
	byte key[2];
};

#if NMIS
#define RINGS 2
#else
#define RINGS 1
#endif
#ifdef NMI_IN_MAIN
#define NMI_RING 0
#else
#define NMI_RING 1
#endif

Ring ring[RINGS];
Mbox mbox;
byte mix;
byte hooks;		/* that are still at work */
byte q;			/* the ring that is read */
bool stopped;		/* answered STOP */

/* The writer. */

#define STALE(r) (ring[r].epoch != mbox.epoch)
#define LIMIT(r) ((WRITERS_SUB(r) + 1) * SIZE - CALL_WORDS)
#define OPEN(r)	 ring[r].sub[WRITERS_SUB(r) % SUBS]
#define DST(i)	 ring[r].sub[(at / SIZE) % SUBS].word[at % SIZE - HEADER + (i)]

inline take_key()
{
	tries = TRIES;
	do
	:: tries > 0 ->
		epoch = mbox.epoch;
		key = mbox.key[epoch & 1];
		if
#ifdef KEY_ONE_LOOK
		:: true ->
#else
		:: mbox.epoch == epoch ->
#endif
			d_step {
				ring[r].epoch = epoch;
				ring[r].key = key
			}
			break
		:: else -> tries--
		fi
	:: else -> break	/* the old pair stays */
	od;
	atomic { tries = 0; epoch = 0; key = 0 }
}

inline close()
{
	if
	:: ring[r].head -> OPEN(r).used = ring[r].head - WRITERS_SUB(r) * SIZE
	:: else
	fi
}

inline count_closed()
{
	if
	:: ring[r].head ->
#ifdef ODD_NOT_COUNTED
		ring[r].records = ring[r].records +
			(ring[r].head - WRITERS_SUB(r) * SIZE - HEADER) /
			CALL_WORDS;
#else
		ring[r].records = ring[r].records + ring[r].odd +
			(ring[r].head - WRITERS_SUB(r) * SIZE - HEADER -
			 ring[r].odd_words) / CALL_WORDS;
#endif
	:: else
	fi;
	ring[r].odd = 0;
	ring[r].odd_words = 0
}

#define NEW ring[r].sub[nr % SUBS]

inline turn()
{
	d_step {
		nr = (ring[r].head + SIZE - 1) / SIZE;
#ifndef CLOSED_LATE
		close();
#endif
		count_closed()
	}
#ifndef SEQ_LATE
	NEW.seq = nr + 1;
#endif
	take_key();
	NEW.before = ring[r].records;
	NEW.epoch = ring[r].epoch;
	NEW.used = 0;
#ifdef SEQ_LATE
	NEW.seq = nr + 1;
#endif
	d_step {
		ring[r].named = false;
#ifdef CLOSED_LATE
		at = ring[r].head;
#endif
		ring[r].head = nr * SIZE + HEADER;
		nr = 0
	}
#ifdef CLOSED_LATE
	d_step {
		if
		:: at -> ring[r].sub[((at - 1) / SIZE) % SUBS].used =
				at - (at - 1) / SIZE * SIZE
		:: else
		fi;
		at = 0
	}
#endif
}

inline begin_record()
{
	at = ring[r].head;
	serial = ring[r].made;
	ring[r].made++
#ifdef HEAD_FIRST
	;
	ring[r].head = at + words
#endif
}

inline publish()
{
	d_step {
#ifndef HEAD_FIRST
		ring[r].head = at + words;
#endif
		at = 0;
		serial = 0
	}
}

inline call()
{
	d_step {
		begin_record();
		DST(0) = WORD(serial, ring[r].key, words)
	}
	DST(1) = WORD(serial, ring[r].key, 0);
	publish()
}

/* All words of an event but the first. */
inline copy_event()
{
	d_step { begin_record(); i = 1 }
	do
	:: i < words -> d_step { DST(i) = WORD(serial, ring[r].key, 0); i++ }
	:: else -> break
	od
}

inline put()
{
	atomic {
		DST(0) = WORD(serial, ring[r].key, words);
		i = 0;
		ring[r].odd++;
		ring[r].odd_words = ring[r].odd_words + words
	}
	publish()
}

inline task()
{
	d_step {
		want = words;
		words = TASK_WORDS;
		ring[r].named = true;
		begin_record()
	}
	put();
	d_step { words = want; want = 0 }
}

inline prepare()
{
	if
	:: !ring[r].head || STALE(r) ||
	   ring[r].head + TASK_WORDS + words - CALL_WORDS > LIMIT(r) -> turn()
	:: else
	fi;
	ring[r].end = LIMIT(r);
	if
	:: !ring[r].named -> task()
	:: else
	fi
}

#define READY(r, words)	 (ring[r].named && \
			  ring[r].head + words <= ring[r].end + CALL_WORDS)

/* Calls, events as long as one, and longer ones, by turns; or calls only. */
#define KIND (mix < 3 -> (todo + mix) % 3 : 0)

inline record()
{
	atomic {
		todo--;
		if
		:: KIND == 0 -> words = CALL_WORDS; is_call = true
		:: KIND == 1 -> words = CALL_WORDS
		:: KIND == 2 -> words = LONG_WORDS
		fi
	}
	if
	:: READY(r, words)
	:: else -> prepare()
	fi;
	if
	:: is_call -> call()
	:: else -> copy_event(); put()
	fi;
	d_step { words = 0; is_call = false }
}

proctype Hook(byte r; byte todo)
{
	byte nr, at, serial, words, want, i, epoch, key, tries;
	bool is_call;

	do
	:: todo > 0 -> record()
	:: else -> break
	od;
	hooks--
}

#if NMIS
/* What it writes is not read: that it came is all that matters. */
proctype Unread(byte r; byte todo)
{
	byte nr, at, serial, words, want, i, epoch, key, tries;
	bool is_call;

	do
	:: atomic {
			todo > 0;
			record();
			if
			:: todo > 0
			:: else -> hooks--; break
			fi
		}
	od
}
#endif

/* The poll thread; a kick may come late, or be lost to a writer in prepare. */
proctype Poll()
{
	byte r;

end:	do
	:: hooks && STALE(0) -> ring[0].end = 0
#if NMIS
	:: hooks && STALE(1) -> ring[1].end = 0
#endif
	:: !hooks -> break
	od;
	do
	:: r < RINGS -> d_step {
			close();
#ifdef FALSE_TURN
			ring[r].sub[(WRITERS_SUB(r) + 1) % SUBS].seq =
				WRITERS_SUB(r) + 2;
#endif
			r++
		}
	:: else -> break
	od;
	stopped = true
}

proctype Host()
{
	byte epoch = 2;

	do
	:: epoch <= EPOCHS ->
		/* Not faster than the first sub-buffer's take_key. */
		epoch == 2 || ring[0].head && ring[RINGS - 1].head;
#ifdef EPOCH_FIRST
		mbox.epoch = epoch;
		mbox.key[epoch & 1] = epoch;
#else
		mbox.key[epoch & 1] = epoch;
		mbox.epoch = epoch;
#endif
		epoch++
	:: else -> break
	od
}

/* The reader of ring q. */

#define SHARED ring[q].sub[nr % SUBS]

#if defined(LAP_LATE)
#define LAPPED (OPEN_SUB(head) - nr > SUBS)
#elif defined(LAP_EARLY)
#define LAPPED (OPEN_SUB(head) - nr >= SUBS - 1)
#else
#define LAPPED (OPEN_SUB(head) - nr >= SUBS)
#endif

/*
 * To save states: once seq has moved, what is loaded before the look at it does
 * not count, as it never moves back.
 */
#if defined(NO_SECOND_LOOK) || defined(SEQ_BEFORE_COPY)
#define GONE false
#else
#define GONE (SHARED.seq != nr + 1)
#endif

/* What is left out must be gone, or loss would be no proof of a lap. */
inline skip_to(number)
{
	unlapped = SHARED.seq <= nr + 1;
	assert(!unlapped);
	pos = (number) * SIZE;
	lapped = true;
	records = 0	/* the next one's header says */
}

/* No guest that keeps the rules is ever given up. */
inline give_up_sub(why)
{
	given_up = why;
	assert(!given_up)
}

inline forget()
{
	was = 0; seq = 0; before = 0; epoch = 0; used = 0;
	start = 0; end = 0; expect = 0
}

/* The copy's next word: is it the one that was written there? */
inline load_word()
{
	w = SHARED.word[start - HEADER];
	start++;
	if
	:: !left -> left = w & 7; w = w - left; spoilt = !left
	:: else
	fi;
	spoilt = spoilt || w != WORD(expect, epoch, 0);
	left = left - (left > 0);
	if
	:: !left -> expect++
	:: else
	fi;
	w = 0
}

proctype Reader()
{
	byte pos, records;
	byte reopened;		/* newest sub-buffer that a header told of */
	bool lapped, stop_seen;
	byte head, nr, tries, was, start, end;	/* ring_next */
	byte seq, before, epoch, used;		/* sub */
	byte left, expect;			/* the caller's copy */
	short w;
	bool spoilt;
	bool unlapped, given_up, gap, torn, miscounted, unopened; /* findings */

ring_next:
	atomic {
		nr = 0;
		stop_seen = stopped;
		head = ring[q].head;	/* look_at_head */
		/* To save states: it came to that. */
		reopened = (reopened > OPEN_SUB(head) -> reopened : 0);
		tries = SUBS;
again:		if
		:: pos >= head -> goto caught_up
		:: else -> nr = pos / SIZE
		fi;
		if
		:: LAPPED -> skip_to(OPEN_SUB(head) - SUBS + 2); goto again
		:: else
		fi;
		/* To save states: of head only the sub-buffer will count. */
		if
		:: nr < OPEN_SUB(head) && pos % SIZE < HEADER ->
			head = OPEN_SUB(head) * SIZE + HEADER
		:: else
		fi
	}
#ifdef SEQ_BEFORE_COPY
	seq = SHARED.seq;
#endif
	atomic {
		if
		:: GONE -> goto gone
		:: else -> before = SHARED.before
		fi
	}
	atomic {
		if
		:: GONE -> goto gone
		:: else -> epoch = SHARED.epoch
		fi
	}
	atomic {
		if
		:: GONE -> goto gone
		:: else -> used = SHARED.used; goto look_at_seq
		fi
	}
gone:	atomic { forget(); pos = nr * SIZE }
look_at_seq:
	atomic {
#ifndef SEQ_BEFORE_COPY
		seq = SHARED.seq;
#endif
		if
		:: seq == nr + 1 -> goto there
		:: else
		fi
	}
	atomic {
		was = OPEN_SUB(head);
		head = ring[q].head;	/* look_at_head */
		if
		:: OPEN_SUB(head) > was && tries ->
			tries--;
			forget();
			goto again
#ifndef RACE_IS_BAD
		:: OPEN_SUB(head) > was && !tries -> goto caught_up
#endif
		:: else
		fi;
#ifndef SEQ_MOVES_WITH_HEAD
		if
		:: OPEN_SUB(head) - nr == SUBS - 1 && seq == nr + SUBS + 1 ->
			reopened = nr + SUBS;
			skip_to(nr + 1);
			forget();
			goto again
		:: else
		fi;
#endif
		give_up_sub(true)
	}
there:
	atomic {
		seq = 0;
		start = (pos % SIZE < HEADER -> HEADER : pos % SIZE);
		if
#ifdef USED_OF_OPEN
		:: true ->
#else
		:: nr < OPEN_SUB(head) ->
#endif
			end = used;
			give_up_sub(end < HEADER || end > SIZE)
		:: else -> end = head - nr * SIZE
		fi;
		give_up_sub(end < start);
		if
		:: end == start && nr == OPEN_SUB(head) -> goto caught_up
		:: end == start && nr < OPEN_SUB(head) ->
			pos = (nr + 1) * SIZE;
			forget();
			goto again
		:: else
		fi;
		used = 0;
		head = 0;
		tries = 0;
		expect = (start == HEADER -> before : records)
	}
	/* The caller's copy. */
	do
	:: start < end && !spoilt && !GONE -> d_step { load_word() }
	:: else -> break
	od;
	if
	:: GONE -> d_step {
			forget();
			left = 0;
			spoilt = false;
			pos = nr * SIZE
		}
	:: else
	fi;
	/* ring_accept */
	atomic {
		if
#ifndef NO_SECOND_LOOK
		:: SHARED.seq != nr + 1 ->
			reopened = SHARED.seq - 1;
			skip_to(nr + 1)
#endif
		:: else ->
			torn = spoilt || left;
			assert(!torn);
			if
			:: pos % SIZE < HEADER ->
				gap = before != records && !lapped;
				assert(!gap)
			:: else
			fi;
			records = expect;
			lapped = false;
			pos = nr * SIZE + end
		fi;
		forget();
		left = 0;
		spoilt = false;
		goto ring_next
	}
caught_up:
	atomic {
		head = 0;
		tries = 0;
		forget();
		if
		:: !stop_seen -> goto ring_next
		:: else
		fi;
		/* ring_check_end: who begins a sub-buffer comes to it */
		unopened = reopened > OPEN_SUB(ring[q].head);
		assert(!unopened);
		/* accepted + lost = produced */
		miscounted = records != ring[q].made;
		assert(!miscounted)
	}
}

init {
	atomic {
		select (mix : 0 .. MIXES - 1);
		mbox.epoch = 1;
		mbox.key[1] = 1;
		hooks = RINGS;
#if NMIS
		if
		:: run Hook(0, RECORDS); run Unread(NMI_RING, NMIS)
		:: q = 1; run Hook(1, NMIS); run Unread(0, RECORDS)
		fi;
#else
		run Hook(0, RECORDS);
#endif
		run Poll();
		run Host();
		run Reader()
	}
}
