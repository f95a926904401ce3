classdef Listening < handle
  % One run of Radio.listen: polls while it catches up, then a stream, again and again, going on by position.
  properties (SetAccess = private)
    position           % of the last sample that was handed over; '' where the channel has none
    heard = 0          % samples handed over
    lost = 0           % samples that are known to be missing; NaN: nobody knows how many
  end

  properties (Access = private)
    server
    channel
    callback
    count
    seconds
    last
    is_bulk            % the callback takes struct arrays
    is_past            % only what is kept, nothing live
    begun
    missing = 0        % lost, and not told with a sample yet
    was_live = false
    is_stopped = false
    tries = 0          % in vain since the last answer
    asked_for = 0      % seconds that the server asked to wait
    is_behind = false  % the server's buffer dropped what the channel still keeps
  end

  properties (Constant)
    % A page of fewer characters is the last one before the stream takes over.
    SMALL = 262144
    % A position that never was: what is kept comes from the oldest on.
    OLDEST = '0:0'
  end

  methods
    function self = Listening(server, channel, callback, options)
      self.server = server;
      self.channel = channel;
      self.callback = callback;
      self.count = options.n;
      self.seconds = options.timeout;
      self.last = options.last;
      self.position = options.after;
      self.is_past = options.past;
      self.is_bulk = options.bulk;
    end

    function run(self)
      % Listen until the count, the time, or the callback says that it is enough.
      self.begun = tic();
      if isempty(self.position) && self.last == 0
        self.find_position();
      end
      while ~self.is_done()
        is_well = self.catch_up();
        if self.is_past
          return
        end
        if is_well && ~self.is_done()
          is_well = self.stream();
        end
        self.wait(is_well);
      end
    end
  end

  methods (Access = private)
    function is_so = is_done(self)
      is_so = self.is_stopped || self.heard >= self.count || toc(self.begun) >= self.seconds;
    end

    function is_well = catch_up(self)
      % Polls, until the stream may take over.
      is_well = true;
      is_last = false;
      while is_well && ~is_last && ~self.is_done() && (self.last > 0 || ~isempty(self.position))
        [is_well, is_last] = self.poll();
      end
    end

    function wait(self, was_well)
      % Before the next attempt: longer each time that it was in vain, as long as the server asked for.
      if was_well
        self.tries = 0;
      end
      if self.is_behind
        % It comes by polls now.
        self.is_behind = false;
        return
      end
      longest = min(0.2 * 2 ^ self.tries, 15);
      self.tries = min(self.tries + 1, 10);
      seconds = max(self.asked_for, longest * rand());
      self.asked_for = 0;
      begun = tic();
      while toc(begun) < seconds && ~self.is_done()
        pause(max(0, min([0.1, seconds - toc(begun), self.seconds - toc(self.begun)])));
      end
    end

    function text = address(self, varargin)
      text = radiod.internal.address(self.server.url, {'listen', self.channel}, varargin{:});
    end

    function answer = ask(self, varargin)
      answer = self.server.ask(self.address(varargin{:}), {}, '', self.request_seconds(), true);
    end

    function find_position(self)
      % Where the channel stands: a connection that breaks before the first sample loses none.
      answer = self.ask('wait', 0);
      self.position = answer.position;
    end

    function seconds = request_seconds(self)
      seconds = max(1, min(self.server.patience, self.seconds - toc(self.begun)));
    end

    function [is_well, is_last] = poll(self)
      % One page of the past. is_last: the stream may take over.
      is_last = true;
      is_begun = self.last == 0;
      if ~is_begun
        answer = self.ask('last', self.last);
        self.last = 0;
      elseif self.is_past
        answer = self.ask('after', self.position, 'wait', 0);
      else
        answer = self.server.once(self.address('after', self.position, 'wait', 0), {}, '', self.request_seconds());
      end
      is_well = self.is_answer(answer);
      if ~is_well
        return
      end
      records = {};
      if answer.status == 200
        records = radiod.internal.from_json(answer.text);
        is_last = numel(answer.text) < self.SMALL && ~(self.is_past && is_begun);
      end
      behind = self.missed_in(answer, records);
      self.hand_over(records, false);
      if ~self.is_done()
        self.missing = self.missing + behind;
        self.lost = self.lost + behind;
        if ~isempty(answer.position)
          self.position = answer.position;
        end
      end
    end

    function is_so = is_answer(self, answer)
      % Whether there is one. Raises: radiod:refused, or what went wrong with a server that never answered.
      is_so = answer.status == 200 || answer.status == 204;
      if is_so
        self.server.reached();
        self.tries = 0;
      elseif answer.status == 0
        if ~self.server.was_reached
          radiod.internal.refuse(answer, self.server.url);
        end
      elseif answer.status >= 500 || answer.status == 429
        self.asked_for = answer.rest;
      else
        radiod.internal.refuse(answer);
      end
    end

    function behind = missed_in(self, answer, records)
      % Losses that a page tells: adds those before its first sample. Returns: those behind its last one.
      behind = 0;
      if answer.recovered || strcmp(self.position, self.OLDEST)
        return
      end
      told = sum(cellfun(@radiod.internal.lost_of, radiod.internal.each(records)));
      behind = max(0, answer.lost - told);
      before = self.gap_before(records, told);
      if ~isnan(before) && before + told + behind == 0
        before = NaN;
      end
      self.add_missing(before);
    end

    function before = gap_before(self, records, told)
      % By the numbers of the positions: NaN if the count has begun anew, there is none, or several nodes that share
      % it leave numbers out: such an epoch begins with x.
      before = NaN;
      if isempty(records)
        before = 0;
        return
      end
      first = radiod.internal.each(records);
      [epoch, number] = radiod.internal.parts(first{1}.position);
      [own_epoch, own_number] = radiod.internal.parts(self.position);
      if strcmp(epoch, own_epoch) && ~isempty(epoch) && epoch(1) ~= 'x'
        before = max(0, number - own_number - 1 - told);
      end
    end

    function add_missing(self, n)
      self.missing = self.missing + n;
      self.lost = self.lost + n;
    end

    function is_well = stream(self)
      % Live samples until the connection ends. is_well: there was a stream.
      if self.was_live && isempty(self.position)
        % This channel has no positions: nobody knows what was published meanwhile.
        self.add_missing(NaN);
      end
      response = self.server.open(self.address('after', self.position), {'Accept: application/x-ndjson'}, '', Inf);
      guard = onCleanup(@() response.close());
      bytes = self.next_of(response);
      while response.status == 0 && ~response.is_over && ~self.is_done()
        bytes = self.next_of(response);
      end
      is_well = response.status == 200;
      if is_well
        self.server.reached();
        self.was_live = true;
        self.follow(response, bytes);
      elseif ~self.is_done()
        answer = struct('status', response.status, 'code', response.code, 'rest', 0);
        answer.rest = max([0, str2double(response.header('retry-after'))]);
        answer.text = [radiod.internal.from_bytes(bytes) response.read_all(5)];
        self.is_answer(answer);
      end
    end

    function follow(self, response, bytes)
      % Hand over the lines of a stream.
      rest = '';
      heard = tic();
      while ~self.is_done()
        if isempty(bytes)
          if response.is_over || toc(heard) > self.server.silence
            return
          end
        else
          heard = tic();
          rest = [rest bytes]; %#ok<AGROW>
          ends = find(bytes == 10, 1, 'last');
          if ~isempty(ends)
            ends = numel(rest) - numel(bytes) + ends;
            self.hand_over(radiod.internal.records(rest(1:ends)), true);
            rest = rest(ends + 1:end);
            if self.is_behind
              return
            end
          end
        end
        if ~self.is_done()
          bytes = self.next_of(response);
        end
      end
    end

    function bytes = next_of(self, response)
      bytes = response.read(max(0, min(1, self.seconds - toc(self.begun))));
    end

    function is_so = is_kept(self)
      % Whether the channel has a past that a poll can give.
      is_so = false;
      if ~isempty(self.position)
        answer = self.server.once(self.address('last', 1), {}, '', self.request_seconds());
        is_so = answer.status == 200 && ~isempty(strfind(answer.text, '"data"')); %#ok<STREMP>
      end
    end

    function hand_over(self, records, is_live)
      % Give each sample to the callback.
      if isstruct(records) && ~isempty(records) && numel(fieldnames(records)) == 2 && isfield(records, 'data')
        [records.lost] = deal(0);
        if ~ischar(records(1).position)
          [records.position] = deal('');
        end
        if self.missing ~= 0
          records(1).lost = self.missing;
          self.missing = 0;
        end
        self.give(records);
      else
        self.hand_over_each(radiod.internal.each(records), is_live);
      end
    end

    function hand_over_each(self, records, is_live)
      % The same for records that say more than a sample.
      for i = 1:numel(records)
        if self.is_done()
          return
        end
        record = records{i};
        lost = radiod.internal.lost_of(record);
        if lost > 0 && is_live && self.is_kept()
          self.is_behind = true;
          return
        end
        if isfield(record, 'recovered') && ~record.recovered
          before = self.gap_before({record}, lost);
          if before + lost == 0
            before = NaN;
          end
          self.add_missing(before);
        end
        self.add_missing(lost);
        if isfield(record, 'data')
          if isempty(record.position)
            record.position = '';
          end
          sample = struct('position', record.position, 'data', {record.data}, 'lost', self.missing);
          self.missing = 0;
          self.give(sample);
        else
          self.hear(record);
        end
      end
    end

    function hear(self, record)
      % A record without a sample.
      if isfield(record, 'end')
        error('radiod:refused', 'may not listen any more: %s', record.end);
      elseif isfield(record, 'xEnd')
        error('radiod:refused', 'may not listen any more: %s', record.xEnd);
      elseif isfield(record, 'retry')
        self.asked_for = record.retry / 1000;
      elseif isfield(record, 'position') && ~isempty(record.position)
        self.position = record.position;
      end
    end

    function give(self, samples)
      % Call the callback with each sample of a struct array (one at least). Octave's method calls and properties are slow: few of them.
      callback = self.callback;
      last = min(numel(samples), self.count - self.heard);
      if self.is_bulk
        self.heard = self.heard + last;
        callback(samples(1:last));
        self.position = samples(last).position;
        return
      end
      is_limited = isfinite(self.seconds);
      try
        for i = 1:last
          sample = samples(i);
          callback(sample);
          self.position = sample.position;
          if is_limited && toc(self.begun) >= self.seconds
            last = i;
            break
          end
        end
      catch trouble
        if ~strcmp(trouble.identifier, 'radiod:stop')
          rethrow(trouble);
        end
        self.position = sample.position;
        self.is_stopped = true;
        last = i;
      end
      self.heard = self.heard + last;
    end
  end
end
