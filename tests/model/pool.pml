/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pool for spin: guest/xft_pool.h, with what guest/xft_seal.c does between.
 * Steps have the names they have there.
 *
 *	spin -a [-DNAME...] pool.pml
 *	gcc -O2 -DSAFETY -o pan pan.c && ./pan
 *
 *	Writer	opens one sub-buffer after the other, and uses some of its stream
 *	Thread	makes streams that are ordered, as fast or as slowly as it likes
 *
 * A step is one load, store or compare-and-exchange. Stores are seen in program
 * order, as x86 promises between processors and each change of hands asks of
 * others.
 *
 * A key is the number of its sub-buffer and of the batch that it makes; a batch
 * is one word, and has the number of its key. So one comparison finds a stream of
 * another sub-buffer, which is one that was used before or might be again; and
 * 0 is what is wiped. Each rule named in tests/cli/52-model.sh is broken by
 * -DRULE, and then an assertion fails.
 */
#ifndef SUBS
#define SUBS	7	/* sub-buffers */
#endif
#define BATCHES	3

#define KEY(nr, batch) (((nr) + 1) << 2 | (batch))

mtype = { EMPTY, POSTED, FILLING, READY, LOST };

typedef Slot {
	mtype state = EMPTY;
	byte key;
	byte word[BATCHES];
};

Slot slot[2];
bool closed;		/* the writer has come to its end */
bool wrong, left;	/* findings */

inline swap(s, from, to, ret_done)
{
	atomic {
		ret_done = slot[s].state == from;
		if
		:: ret_done -> slot[s].state = to
		:: else
		fi
	}
}

/* Nothing of what was made or ordered is to be found any more. */
inline look_for_rest(s)
{
	atomic {
		left = slot[s].key || slot[s].word[0] || slot[s].word[1] ||
		       slot[s].word[2];
		assert(!left)
	}
}

/* The writer. */

inline post(s, number)
{
	if
	:: slot[s].state == EMPTY ->
		look_for_rest(s);
#ifdef KEY_LATE
		slot[s].state = POSTED;
		slot[s].key = KEY(number, 0)
#else
		slot[s].key = KEY(number, 0);
		slot[s].state = POSTED
#endif
	:: slot[s].state != EMPTY
	fi
}

inline take(s)
{
#ifdef TAKE_FILLING
	swap(s, FILLING, EMPTY, done);
#else
	swap(s, POSTED, EMPTY, done);
	if
	:: done -> slot[s].key = 0
	:: else -> swap(s, FILLING, LOST, done)
	fi;
#endif
	if
	:: !done && slot[s].state == READY -> taken = true
	:: else
	fi;
	if
	:: taken -> slot[s].state = EMPTY
	:: else
	fi
}

/* All of the stream, with the key of what follows, or some of it. */
inline use(s, number)
{
	d_step {
		wrong = slot[s].key != KEY(number, BATCHES);
		assert(!wrong);
		slot[s].key = 0
	}
	do
	:: used < BATCHES -> d_step {
			wrong = slot[s].word[used] != KEY(number, used);
			assert(!wrong);
			slot[s].word[used] = 0;
			used++
		}
	:: break
	od
}

inline close(s)
{
#ifndef NO_CLOSE
	do
	:: used < BATCHES -> d_step { slot[s].word[used] = 0; used++ }
	:: else -> break
	od;
#endif
	atomic { used = 0; taken = false };
	look_for_rest(s)
}

proctype Writer()
{
	byte nr, used;
	bool done, taken;

	post(0, 0);
	do
	:: nr < SUBS ->
		take(nr & 1);
		post((nr + 1) & 1, nr + 1);
		if
		:: taken -> use(nr & 1, nr); close(nr & 1)
		:: else		/* batch by batch, elsewhere */
		fi;
		nr++
	:: else -> break
	od;
	closed = true
}

/* The poll thread. */

inline begin(s)
{
#ifdef NO_CLAIM
	if
	:: slot[s].state == POSTED -> slot[s].state = FILLING; done = true
	:: slot[s].state != POSTED -> done = false
	fi
#else
	swap(s, POSTED, FILLING, done)
#endif
}

inline fill_slot(s)
{
	do
	:: i < BATCHES && slot[s].state == FILLING ->	/* wanted */
		key = slot[s].key;
		slot[s].key = key + 1;
		d_step { slot[s].word[i] = key; key = 0; i++ }
#ifdef READY_EARLY
		;
		if
		:: i == BATCHES - 1 -> swap(s, FILLING, READY, done)
		:: else
		fi
#endif
	:: i == BATCHES || slot[s].state != FILLING -> break
	od
}

inline end(s)
{
#ifdef READY_ANYWAY
	slot[s].state = READY;
	done = true
#elif defined(READY_EARLY)
	skip
#else
	swap(s, FILLING, READY, done)
#endif
}

inline leave(s)
{
#ifndef NO_WIPE
	do
	:: i > 0 -> d_step { i--; slot[s].word[i] = 0 }
	:: else -> break
	od;
#endif
	slot[s].key = 0;
	slot[s].state = EMPTY
}

proctype Thread()
{
	byte s, i, key;
	bool done;

	do
	:: begin(s);
		if
		:: done ->
			fill_slot(s);
			end(s);
			if
			:: done
			:: else -> leave(s)
			fi
		:: else
		fi;
		atomic { done = false; i = 0; s = 1 - s }
	:: closed -> break
	od;
	/* What is lost is wiped by now, and what is left is yet to come. */
	s = 0;
	do
	:: s < 2 ->
		if
		:: slot[s].state == EMPTY -> look_for_rest(s)
		:: else -> assert(slot[s].state != LOST)
		fi;
		s++
	:: else -> break
	od
}

init {
	atomic {
		run Writer();
		run Thread()
	}
}
