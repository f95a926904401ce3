classdef Server < handle
  % Where requests go, and how long one is tried again.
  properties (SetAccess = private)
    url
    patience           % seconds
    silence            % seconds without a sign of life after which a stream is dead
    was_reached = false
  end

  properties (Access = private)
    headers = {}
    certificates = ''
    transport
  end

  methods
    function self = Server(url, options)
      url = radiod.internal.chars(url);
      if ~ischar(url) || isempty(regexp(url, '^https?://[^/\s]+', 'once'))
        error('radiod:argument', 'expected the server''s address, as http://127.0.0.1:8080');
      end
      self.url = regexprep(url, '/+$', '');
      self.patience = options.timeout;
      self.silence = options.silence;
      self.certificates = options.certificates;
      self.transport = options.transport;
      if ~isempty(options.key)
        self.headers{end + 1} = ['API-KEY: ' options.key];
      end
      if ~isempty(options.token)
        self.headers{end + 1} = ['Authorization: Bearer ' options.token];
      end
      if ~isempty(options.channel_key)
        self.headers{end + 1} = ['Channel-Key: ' options.channel_key];
      end
      if any(cellfun(@(header) any(header < 32), self.headers))
        error('radiod:argument', 'a key is one line of text');
      end
    end

    function response = open(self, address, headers, body, seconds)
      % Send a request. Returns: a Response, to be closed.
      request = struct('url', address, 'headers', {[self.headers headers]}, 'body', body, 'seconds', seconds, ...
                       'certificates', self.certificates);
      response = radiod.internal.Response(request, self.transport);
    end

    function answer = once(self, address, headers, body, seconds)
      % One request. Returns: status (0: no answer), code (curl's), text, position, lost, recovered, readers, rest.
      response = self.open(address, headers, body, seconds);
      guard = onCleanup(@() response.close());
      text = response.read_all(seconds + 5);
      answer = struct('status', response.status, 'code', response.code, 'text', text);
      answer.position = response.header('x-radiod-position');
      answer.lost = number(response.header('x-radiod-lost'));
      answer.recovered = ~strcmp(response.header('x-radiod-recovered'), 'false');
      answer.readers = number(response.header('x-radiod-readers'));
      answer.rest = number(response.header('retry-after'));
      if ~response.is_over
        answer.code = 28;
      end
      if answer.code ~= 0
        % A body that was cut off is no answer.
        answer.status = 0;
      end
      if answer.status > 0
        self.was_reached = true;
      end
    end

    function answer = ask(self, address, headers, body, seconds, may_repeat)
      % As once, but again until the patience is over. may_repeat: also when the request may have been carried out.
      % Raises: radiod:refused, radiod:timeout, radiod:disconnected.
      begun = tic();
      rest = 0.1;
      while true
        answer = self.once(address, headers, body, seconds);
        if answer.status > 0 && ~is_for_now(answer)
          if answer.status >= 400
            radiod.internal.refuse(answer);
          end
          return
        end
        % Whoever found no server has sent nothing; one that says "later" has done nothing.
        was_done = answer.status == 0 && ~any(answer.code == [5 6 7 35 60]);
        pause_s = max(answer.rest, rest * (0.5 + rand() / 2));
        if ~self.was_reached || (was_done && ~may_repeat) || toc(begun) + pause_s > self.patience
          radiod.internal.refuse(answer, self.url);
        end
        pause(pause_s);
        rest = min(rest * 2, 5);
      end
    end

    function reached(self)
      % It answers: from now on it is waited for.
      self.was_reached = true;
    end
  end
end

function value = number(text)
  value = str2double(text);
  if isnan(value)
    value = 0;
  end
end

function is_so = is_for_now(answer)
  % Another time the same request may be answered otherwise. An overrun has reached others already.
  is_so = any(answer.status == [409 429 502 503 504]) && isempty(strfind(answer.text, 'radiod.error.overrun')); %#ok<STREMP>
end
