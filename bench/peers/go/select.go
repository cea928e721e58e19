package main

// The cases of a select stand in the source, so there is one for each count of
// channels that is measured.

var selectable = []int{1, 2, 4, 8}

func (r *reader) read(chans []chan uint64) {
	switch len(chans) {
	case 1:
		r.read1(chans)
	case 2:
		r.read2(chans)
	case 4:
		r.read4(chans)
	case 8:
		r.read8(chans)
	}
}

func (r *reader) read1(chans []chan uint64) {
	for left := 1; left > 0; {
		select {
		case v, ok := <-chans[0]:
			left = r.met(chans, 0, v, ok, left)
		}
	}
}

func (r *reader) read2(chans []chan uint64) {
	for left := 2; left > 0; {
		select {
		case v, ok := <-chans[0]:
			left = r.met(chans, 0, v, ok, left)
		case v, ok := <-chans[1]:
			left = r.met(chans, 1, v, ok, left)
		}
	}
}

func (r *reader) read4(chans []chan uint64) {
	for left := 4; left > 0; {
		select {
		case v, ok := <-chans[0]:
			left = r.met(chans, 0, v, ok, left)
		case v, ok := <-chans[1]:
			left = r.met(chans, 1, v, ok, left)
		case v, ok := <-chans[2]:
			left = r.met(chans, 2, v, ok, left)
		case v, ok := <-chans[3]:
			left = r.met(chans, 3, v, ok, left)
		}
	}
}

func (r *reader) read8(chans []chan uint64) {
	for left := 8; left > 0; {
		select {
		case v, ok := <-chans[0]:
			left = r.met(chans, 0, v, ok, left)
		case v, ok := <-chans[1]:
			left = r.met(chans, 1, v, ok, left)
		case v, ok := <-chans[2]:
			left = r.met(chans, 2, v, ok, left)
		case v, ok := <-chans[3]:
			left = r.met(chans, 3, v, ok, left)
		case v, ok := <-chans[4]:
			left = r.met(chans, 4, v, ok, left)
		case v, ok := <-chans[5]:
			left = r.met(chans, 5, v, ok, left)
		case v, ok := <-chans[6]:
			left = r.met(chans, 6, v, ok, left)
		case v, ok := <-chans[7]:
			left = r.met(chans, 7, v, ok, left)
		}
	}
}
