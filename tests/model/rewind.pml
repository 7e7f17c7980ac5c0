/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that is set back to a snapshot, for spin: the brake of abi/xft_abi.h,
 * guest/xft_ring.h and xft_push.c with xftrace/recording.c and server.c.
 *
 *	spin -a [-DNAME...] rewind.pml
 *	gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan
 *
 *	Hook	seals records, on one processor
 *	Poll	the module's thread: beats, closes idle sub-buffers on the hook's
 *		processor, answers STOP and START
 *	Qemu	takes one snapshot, at any moment, and sets the guest back to it:
 *		pages one by one in any order, then processors, then it runs
 *	Host	the recorder: looks, stores halt, and begins again
 *
 * What has been sealed twice with the same word of the stream must be the same
 * twice. A record is the life that its time was taken in; with each setting back
 * a new life begins. All else in a record is memory, which is set back, too.
 *
 * Assumed is that the recorder has seen the guest later than the snapshot, and
 * has one look, begun and ended, between the last page and the guest's first
 * instruction: docs/security.md, "Going back". Not in here: setting back while
 * the recorder waits for an answer to STOP or START. Each rule named in
 * tests/cli/52-model.sh is broken by -DRULE, and then an assertion fails.
 */
#define WORDS	 2	/* of each session's stream; a record takes one */
#define SESSIONS 3
#define BEATS	 4
#ifndef RESTORES
#define RESTORES 2
#endif

mtype = { NONE, STOP, START };

#define NOW  0
#define SNAP 1

/* Memory, a page each, and processors; and as the snapshot has them. */
typedef Ring { byte session; byte used };
typedef Ctl { byte beat; bool tracing; byte done };
typedef Mbox { byte seq; mtype cmd; bool halt; byte seed };
typedef Cpu { byte hook; byte hook_time; byte poll; byte poll_time };

Ring ring[2];
Ctl ctl[2];
Mbox mbox[2];
Cpu cpu[2];

byte life = 1;
bool running = true;
bool has_ram = true;	/* all pages are there */
bool whole;		/* when the host began to look */
bool seen;		/* by such a look */
byte record[WORDS * (SESSIONS + 1)];
bool reused, lost;	/* findings */

/* What the host has seen of the guest. */
byte beat, used;
byte beats;		/* since it was set back */
bool rewound, watching;

/*
 * The last beat before the guest was stopped may be seen later than the first
 * page that was set back; the second is one of its new life.
 */
#ifdef FIRST_BEAT
#define REBORN	 1
#else
#define REBORN	 2
#endif

#define TRACING	 (running && ctl[NOW].tracing)
#define HAS_WORD (ring[NOW].used < WORDS)
#define SEALED	 record[ring[NOW].session * WORDS + ring[NOW].used]

inline seal(time)
{
	reused = SEALED && SEALED != time;
	assert(!reused);
	SEALED = time;
	ring[NOW].used++
}

#ifdef NO_LOOK
#define HALTED false
#else
#define HALTED mbox[NOW].halt
#endif
#ifdef CLOSE_ANYWAY
#define CLOSE_HALTED false
#else
#define CLOSE_HALTED mbox[NOW].halt
#endif

/* Time first, then the look: what comes after it is all decided. */
#ifdef TIME_LATE
#define TIME_FIRST 0
#define TIME_LAST  life
#else
#define TIME_FIRST life
#define TIME_LAST  0
#endif

proctype Hook()
{
end:	do
	:: atomic {
		TRACING && !cpu[NOW].hook && cpu[NOW].poll < 2 && HAS_WORD ->
			cpu[NOW].hook_time = TIME_FIRST;
			cpu[NOW].hook = 1
	   }
	:: atomic {
		running && cpu[NOW].hook == 1 ->
			cpu[NOW].hook = (HALTED -> 0 : 2);
			cpu[NOW].hook_time = (HALTED -> 0 : cpu[NOW].hook_time)
	   }
	:: atomic {
		running && cpu[NOW].hook == 2 ->
			cpu[NOW].hook_time = cpu[NOW].hook_time + TIME_LAST;
			cpu[NOW].hook = 3
	   }
	:: atomic {
		running && cpu[NOW].hook == 3 ->
			seal(cpu[NOW].hook_time);
			cpu[NOW].hook = 0;
			cpu[NOW].hook_time = 0
	   }
	od
}

/* Poll's steps: 0, 1 are its own; from 2 on the hook's processor is busy. */
proctype Poll()
{
end:	do
	:: atomic {
		running && !cpu[NOW].poll && ctl[NOW].beat < BEATS ->
			ctl[NOW].beat++
	   }
	/* xft_close_idle() */
	:: atomic {
		TRACING && !cpu[NOW].poll && HAS_WORD ->
#ifdef LOOK_BEFORE_IPI
			cpu[NOW].poll = (CLOSE_HALTED -> 0 : 1)
#else
			cpu[NOW].poll = 1
#endif
	   }
	/* xft_close_here() */
	:: atomic {
		running && cpu[NOW].poll == 1 && !cpu[NOW].hook ->
			cpu[NOW].poll_time = life;
#ifdef LOOK_BEFORE_IPI
			cpu[NOW].poll = (HAS_WORD -> 3 : 4)
#else
			cpu[NOW].poll = 2
#endif
	   }
	:: atomic {
		running && cpu[NOW].poll == 2 ->
			cpu[NOW].poll = (CLOSE_HALTED || !HAS_WORD -> 4 : 3)
	   }
	:: atomic {
		running && cpu[NOW].poll == 3 ->
			seal(cpu[NOW].poll_time);
			cpu[NOW].poll = 4
	   }
	:: atomic {
		running && cpu[NOW].poll == 4 ->
			cpu[NOW].poll_time = 0;
			cpu[NOW].poll = 0;
			/* It was the last record: STOP is answered. */
			if
			:: !ctl[NOW].tracing -> ctl[NOW].done = mbox[NOW].seq
			:: else
			fi
	   }
	/* STOP: the hooks are out, each ring is closed. */
	:: atomic {
		running && !cpu[NOW].poll && !cpu[NOW].hook &&
		mbox[NOW].seq != ctl[NOW].done && mbox[NOW].cmd == STOP ->
			cpu[NOW].poll = (ctl[NOW].tracing -> 1 : 4);
			ctl[NOW].tracing = false
	   }
	:: atomic {
		running && !ctl[NOW].tracing && !cpu[NOW].poll &&
		mbox[NOW].seq != ctl[NOW].done && mbox[NOW].cmd == START ->
			ring[NOW].session = mbox[NOW].seed;
			ring[NOW].used = 0;
			mbox[NOW].seed = 0;
			ctl[NOW].tracing = true;
			ctl[NOW].done = mbox[NOW].seq
	   }
	od
}

inline copy_ring(to, from)
{
	ring[to].session = ring[from].session;
	ring[to].used = ring[from].used
}

inline copy_ctl(to, from)
{
	ctl[to].beat = ctl[from].beat;
	ctl[to].tracing = ctl[from].tracing;
	ctl[to].done = ctl[from].done
}

inline copy_mbox(to, from)
{
	mbox[to].seq = mbox[from].seq;
	mbox[to].cmd = mbox[from].cmd;
	mbox[to].halt = mbox[from].halt;
	mbox[to].seed = mbox[from].seed
}

inline copy_cpu(to, from)
{
	cpu[to].hook = cpu[from].hook;
	cpu[to].hook_time = cpu[from].hook_time;
	cpu[to].poll = cpu[from].poll;
	cpu[to].poll_time = cpu[from].poll_time
}

#define SEEN_LATER (beat > ctl[SNAP].beat || \
		    ring[NOW].session == ring[SNAP].session && \
		    used > ring[SNAP].used)

proctype Qemu()
{
	byte todo, restores;

	atomic {
		copy_ring(SNAP, NOW);
		copy_ctl(SNAP, NOW);
		copy_mbox(SNAP, NOW);
		copy_cpu(SNAP, NOW)
	}
end:	do
	:: atomic {
		restores < RESTORES && watching && !rewound && SEEN_LATER ->
			restores++;
			running = false;
			has_ram = false;
			whole = false;
			seen = false;
			todo = 7
	   }
	   do
	   :: atomic { todo & 1 -> copy_ring(NOW, SNAP); todo = todo - 1 }
	   :: atomic { todo & 2 -> copy_ctl(NOW, SNAP); todo = todo - 2 }
	   :: atomic {
		todo & 4 ->
			/* A request would be written over, and never answered. */
			lost = !watching;
			assert(!lost);
			copy_mbox(NOW, SNAP);
			todo = todo - 4
	      }
	   :: atomic { !todo -> has_ram = true; break }
	   od;
#ifdef RUN_UNSEEN
	   skip;
#else
	   seen;
#endif
	   atomic {
		copy_cpu(NOW, SNAP);
		life++;
		running = true
	   }
	od
}

inline request(what)
{
	mbox[NOW].cmd = what;
	mbox[NOW].seq = next;
	ctl[NOW].done == next;
	next++
}

inline start()
{
#ifdef RELEASED_EARLY
	mbox[NOW].seed = session;
#else
	atomic { mbox[NOW].halt = false; mbox[NOW].seed = session };
#endif
	request(START);
	atomic {
		session++;
		rewound = false;
		beats = 0;
		used = 0;
		beat = ctl[NOW].beat;
		watching = true
	}
}

proctype Host()
{
	byte session = 1, next = 1;
	bool fresh;

	start();
end:	do
	:: atomic { whole = has_ram; fresh = ctl[NOW].beat != beat };
	   /* recording_tick(): watch_heart() */
	   atomic {
		if
		:: ctl[NOW].beat > beat -> beats = beats + rewound
		:: ctl[NOW].beat < beat -> beats = 0; rewound = true
		:: else
		fi;
		beat = ctl[NOW].beat
	   }
	   /* drain() */
	   atomic {
#ifndef BEATS_ONLY
		rewound = rewound || ring[NOW].used < used;
#endif
		used = ring[NOW].used
	   }
	   /* brake() */
	   atomic {
		if
#if defined(NO_HALT)
		:: false
#elif defined(HALT_ONCE)
		:: rewound && fresh ->
#else
		:: rewound ->
#endif
			mbox[NOW].halt = true
		:: else
		fi;
		seen = seen || whole;
		whole = false;
		fresh = false
	   }
	   /* recording_is_reborn(), begin_anew() */
	   if
	   :: beats >= REBORN && session <= SESSIONS ->
		watching = false;
#ifdef RELEASED_EARLY
		mbox[NOW].halt = false;
#endif
		request(STOP);
		start()
	   :: else
	   fi
	od
}

init {
	atomic {
		run Hook();
		run Poll();
		run Host();
		run Qemu()
	}
}
