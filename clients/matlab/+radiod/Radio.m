classdef Radio < handle
  % A radiod server, heard and spoken to over HTTP.
  %
  %   r = radiod.Radio('http://127.0.0.1:8080', 'key', 'demo-key');
  %   r.listen('hello', @(sample) disp(sample.data), 'n', 10);
  %   r.publish('hello', struct('n', 1));
  %
  % A sample is a struct: data; position, '' where the channel has none; lost, how many are missing right before it
  % (NaN: some, and nobody knows how many).
  %
  % Errors: radiod:refused, the server says no; radiod:timeout, no answer in time; radiod:disconnected, no server;
  % radiod:argument, a call that cannot be carried out.
  properties (SetAccess = private)
    % The server's address.
    url
    % Where the last listen was: the position of the last sample that was handed over.
    position = ''
  end

  properties (Access = private)
    server
  end

  methods
    function self = Radio(url, varargin)
      % Connects with the first request, not before.
      %
      % Options: key, an API key; token, a listen token; channel_key, of a private channel; timeout, seconds that a
      % request may take, with repetitions (20); silence, seconds without a sign of life after which a stream is taken for
      % dead (40: the server gives one each 15 s); certificates, a PEM file with the authorities to trust; transport, 'pipe' or 'file' (what
      % this language can do).
      known = struct('key', '', 'token', '', 'channel_key', '', 'timeout', 20, 'silence', 40, 'certificates', '', ...
                     'transport', 'file');
      if exist('OCTAVE_VERSION', 'builtin')
        known.transport = 'pipe';
      end
      options = radiod.internal.options(known, varargin);
      self.server = radiod.internal.Server(url, options);
      self.url = self.server.url;
    end

    function [position, heard, lost] = listen(self, channel, fn, varargin)
      % Call fn(sample) for each sample, in order, until n have come or timeout seconds are over; without both for ever.
      %
      % Options: n; timeout; after, a position to go on behind; last, how many of the past to begin with (at most 1000).
      % It comes back by itself when the connection breaks or the server is restarted. An error of fn ends it, and
      % error('radiod:stop', 'enough') in fn ends it without an error.
      %
      % Returns: the position to go on from, how many samples came, how many are known to be lost (NaN: nobody knows).
      % Raises: radiod:refused; radiod:disconnected, radiod:timeout: the first request finds no server.
      listening = self.run(channel, fn, radiod.internal.listen_options(Inf, varargin));
      position = listening.position;
      heard = listening.heard;
      lost = listening.lost;
    end

    function samples = collect(self, channel, n, varargin)
      % The next n samples as a struct array (a column); fewer if the timeout is over before. Options: as of listen.
      samples = self.collected(channel, radiod.internal.listen_options(n, varargin));
    end

    function sample = latest(self, channel)
      % The newest sample of a channel that keeps its past; [] if there is none.
      samples = self.history(channel, 'last', 1);
      sample = [];
      if ~isempty(samples)
        sample = samples(end);
      end
    end

    function [samples, position] = history(self, channel, varargin)
      % What the server keeps, oldest first, as a struct array (a column), and the position of the last one.
      %
      % Options: after, a position (without one: from the oldest); limit (100), or last, how many of the newest (at
      % most 1000).
      known = struct('after', '', 'limit', 100, 'last', 0);
      options = radiod.internal.options(known, varargin);
      if options.last > 0
        options.limit = options.last;
      elseif isempty(options.after)
        options.after = radiod.internal.Listening.OLDEST;
      end
      options = struct('n', options.limit, 'timeout', Inf, 'after', options.after, 'last', options.last, 'past', true);
      [samples, position] = self.collected(channel, options);
    end

    function readers = publish(self, channel, data)
      % Publish what jsonencode can write. Returns: how many listen.
      %
      % It is sent again, under one Idempotency-Key, until the server answers: once, unless the server is killed between.
      % Raises: radiod:refused, radiod:timeout, radiod:disconnected.
      channel = radiod.internal.name(channel);
      body = ['{"topic":' jsonencode(channel) ',"args":[' radiod.internal.json_text(data) ']}'];
      [told, answer] = self.post('publish', body, self.server.patience, true);
      if isfield(told, 'error')
        error('radiod:refused', '%s: %s', told.error, radiod.internal.shown(told.args));
      end
      readers = answer.readers;
    end

    function result = call(self, procedure, args, varargin)
      % Call a procedure with the arguments of a cell. Options: kwargs, a struct; timeout, seconds.
      %
      % Returns: its result; a struct of args and kwargs if there are several values or named ones; [] if there is none.
      % Raises: radiod:refused: an error of the procedure or the server; radiod:timeout; radiod:disconnected: it may
      % have been called.
      if nargin < 3
        args = {};
      elseif ~iscell(args)
        args = {args};
      end
      known = struct('kwargs', [], 'timeout', self.server.patience);
      options = radiod.internal.options(known, varargin);
      procedure = radiod.internal.name(procedure);
      parts = cellfun(@radiod.internal.json_text, args(:)', 'UniformOutput', false);
      body = ['{"procedure":' jsonencode(procedure) ',"args":[' strjoin(parts, ',') ']'];
      if ~isempty(options.kwargs)
        body = [body ',"kwargs":' radiod.internal.json_text(options.kwargs)];
      end
      body = sprintf('%s,"options":{"timeout":%d}}', body, max(1, round(options.timeout * 1000)));
      % The server's own answer comes first.
      told = self.post('call', body, options.timeout + 5, false);
      result = radiod.internal.result(told);
    end
  end

  methods (Access = private)
    function listening = run(self, channel, fn, options)
      channel = radiod.internal.name(channel);
      listening = radiod.internal.Listening(self.server, channel, fn, options);
      % Also after Ctrl-C, where nothing is returned.
      guard = onCleanup(@() self.keep(listening));
      listening.run();
    end

    function [samples, position] = collected(self, channel, options)
      options.bulk = true;
      found = radiod.internal.Collected();
      listening = self.run(channel, @(samples) found.add(samples), options);
      samples = found.all();
      position = listening.position;
    end

    function keep(self, listening)
      self.position = listening.position;
    end

    function [told, answer] = post(self, path, body, seconds, may_repeat)
      % Not of rand: MATLAB's begins with the same numbers in each session.
      [~, name] = fileparts(tempname());
      key = sprintf('%s-%.0f', name, now() * 86400e6);
      address = radiod.internal.address(self.url, {path});
      answer = self.server.ask(address, {['Idempotency-Key: ' key]}, body, seconds, may_repeat);
      told = radiod.internal.from_json(answer.text);
    end
  end
end
